"""Errors on the command line: one line, what to do, the right exit code, no traceback."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from cli.main import main
from cli.stack import FOOTNOTE, clean_environment
from footnote.errors import (
    Broken,
    Busy,
    Conflict,
    FootnoteError,
    Invalid,
    Misconfigured,
    NotFound,
    Refused,
    StorageFull,
    Unavailable,
)
from rewards.commands.setup import _units
from rewards.keys import create_key


@pytest.fixture(autouse=True)
def settings(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in clean_environment():
        assert not name.startswith("FOOTNOTE_")
    monkeypatch.setenv("FOOTNOTE_HOME", str(home))


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    said = capsys.readouterr()
    assert isinstance(ended.value.code, int)
    return ended.value.code, said.out, said.err


def one_line(said: str) -> str:
    """The one line of an error, in its form."""
    (line,) = said.strip().splitlines()
    head, _, rest = line.partition("footnote: error: ")
    assert (head, ": " in rest) == ("", True), line
    return rest


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["frobnicate"], 64, "No such command"),
        (["ask"], 64, "see footnote ask --help"),
        (["ask", "no-such", "Why?"], 66, "no such Datanet"),
        (["show", "no-such"], 66, "footnote datanets"),
        (["show", "No Such"], 66, "no such Datanet"),
        (["worker"], 78, "FOOTNOTE_RPC_URL"),
        (["audit"], 78, "FOOTNOTE_RPC_URL"),
        (["deploy"], 78, "FOOTNOTE_"),
        (["deploy", "--token", "0x12"], 65, "not an Ethereum address"),
        (["register", "eips"], 78, "FOOTNOTE_SIGNER_KEYSTORE"),
        (["fund", "eips", "1"], 78, "FOOTNOTE_RPC_URL"),
        (["verify", "/no/such/file"], 64, "does not exist"),
        (["serve", "--port", "70000"], 64, "70000"),
        (["ingest", "Bad Name", "."], 65, "not a Datanet's name"),
        (["policy", "eips", "--set", "/no/such/file"], 64, "does not exist"),
    ],
)
def test_an_error_is_one_line_with_its_exit_code(
    capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, said: str
) -> None:
    got, out, error = run(capsys, *arguments)
    assert got == code, error
    assert said in one_line(error)
    assert out == ""


@pytest.mark.parametrize("content", ["", "[]", "{}", "{", '{"object": "receipt"}', "[" * 100_000])
def test_a_file_that_is_no_receipt_is_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, content: str
) -> None:
    file = tmp_path / "receipt.json"
    file.write_text(content)
    code, _, error = run(capsys, "verify", str(file), "--offline")
    assert code == 65
    one_line(error)


@pytest.mark.parametrize(
    "toml", ["price_per_answer = ", "price = 1", "price_in = -1", 'stakers = "0x0"', "\xff"]
)
def test_a_wrong_policy_is_refused_and_changes_nothing(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, toml: str
) -> None:
    file = tmp_path / "policy.toml"
    file.write_bytes(toml.encode("latin-1"))
    code, _, error = run(capsys, "policy", "eips", "--set", str(file))
    assert code == 65
    one_line(error)
    _, shown, _ = run(capsys, "policy", "eips")
    assert json.loads(shown)["price_per_answer"] == "5000000000000000"


def test_a_policy_is_set_and_shown(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "policy.toml"
    file.write_text("price_per_answer = 12\n")
    code, _, _ = run(capsys, "policy", "eips", "--set", str(file))
    assert code == 0
    _, shown, _ = run(capsys, "policy", "eips")
    assert json.loads(shown)["price_per_answer"] == "12"


def test_a_wrong_setting_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FOOTNOTE_POLL_SECONDS", "SECRET")
    code, _, error = run(capsys, "worker")
    assert code == 78
    assert "FOOTNOTE_POLL_SECONDS" in one_line(error)
    assert "SECRET" not in error


def test_signer_and_distributor_must_differ(capsys: pytest.CaptureFixture[str]) -> None:
    account = "0x" + "ab" * 20
    code, _, error = run(capsys, "register", "eips", "--signer", account, "--distributor", account)
    assert code == 65
    assert "use two keys" in one_line(error)


def test_a_new_key_prints_its_address_alone_and_is_never_overwritten(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    keystore, passphrase = tmp_path / "k.json", tmp_path / "k.pass"
    create_key(keystore, passphrase, iterations=2)
    before = keystore.read_bytes()
    code, out, error = run(
        capsys, "key", "new", str(keystore), "--passphrase-file", str(passphrase)
    )
    assert (code, out) == (65, "")
    assert "never overwritten" in one_line(error)
    assert keystore.read_bytes() == before


def test_the_command_itself_ends_with_the_code_and_no_traceback(home: Path) -> None:
    done = subprocess.run(
        [*FOOTNOTE, "datanets", "--frob"], env=clean_environment(HOME=str(home)),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (64, "")
    one_line(done.stderr)


@pytest.mark.parametrize(
    ("amount", "decimals", "expected"),
    [
        ("2.5", 18, 25 * 10**17),
        ("0.000000000000000001", 18, 1),
        ("12345678901234.123456789012345678", 18, 12345678901234123456789012345678),
        ("79228162514264337593543950335", 0, 2**96 - 1),
        ("1e3", 0, 1_000),
        ("2.5", 6, 2_500_000),
    ],
)
def test_an_amount_is_read_to_the_last_unit(amount: str, decimals: int, expected: int) -> None:
    assert _units(amount, decimals) == expected


@pytest.mark.parametrize(
    "amount",
    ["0", "-1", "NaN", "sNaN", "Infinity", "-Infinity", "1e-19", "x", "", "1e78",
     "0.0000000000000000001"],
)  # fmt: skip
def test_what_is_no_amount_is_refused(amount: str) -> None:
    with pytest.raises(Invalid, match="no amount"):
        _units(amount, False)


@pytest.mark.parametrize(
    ("kind", "status", "exit_code"),
    [(Refused, 400, 65), (Invalid, 422, 65), (NotFound, 404, 66), (Conflict, 409, 65),
     (Unavailable, 503, 69), (Busy, 409, 75), (StorageFull, 507, 74), (Broken, 500, 70),
     (Misconfigured, 500, 78)],
)  # fmt: skip
def test_each_branch_of_the_error_tree_has_its_status_and_exit_code(
    kind: type[FootnoteError], status: int, exit_code: int
) -> None:
    error = kind("what", "what to do")
    assert (error.status, error.exit_code, str(error)) == (status, exit_code, "what: what to do")
