"""Keys come from encrypted files, and nothing shows them."""

from __future__ import annotations

import copy
import json
import pickle
import stat
from pathlib import Path

import pytest
from eth_account import Account

from footnote.addresses import format_address
from footnote.errors import Conflict, Misconfigured
from footnote.ids import keccak
from rewards.keys import Key, create_key, read_key, recover
from tests.money import key_of, new_key

SETTING = "FOOTNOTE_SIGNER_KEYSTORE"
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
DIGEST = keccak(b"a receipt")


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    return tmp_path / "keys" / "signer.json", tmp_path / "keys" / "signer.pass"


def test_a_key_is_read_back_from_its_keystore(files: tuple[Path, Path]) -> None:
    address = create_key(*files, iterations=2)
    key = read_key(*files, SETTING)
    assert key.address == address
    assert recover(DIGEST, key.sign_digest(DIGEST)) == address


def test_keystore_and_passphrase_are_for_their_owner_alone(files: tuple[Path, Path]) -> None:
    create_key(*files, iterations=2)
    for file in files:
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_keystore_holds_the_key_only_encrypted(files: tuple[Path, Path]) -> None:
    create_key(*files, iterations=2)
    private = Account.decrypt(json.loads(files[0].read_text()), files[1].read_text().strip())
    assert bytes(private).hex() not in files[0].read_text() + files[1].read_text()


def test_a_keystore_is_never_overwritten(files: tuple[Path, Path]) -> None:
    create_key(*files, iterations=2)
    before = files[0].read_bytes(), files[1].read_bytes()
    with pytest.raises(Conflict, match="never overwritten"):
        create_key(*files, iterations=2)
    assert (files[0].read_bytes(), files[1].read_bytes()) == before


def test_a_passphrase_that_is_there_is_used(files: tuple[Path, Path]) -> None:
    files[1].parent.mkdir()
    files[1].write_text("correct horse\r\n")
    address = create_key(*files, iterations=2)
    files[1].write_text("correct horse")
    assert read_key(*files, SETTING).address == address


def test_a_wrong_passphrase_opens_nothing(files: tuple[Path, Path]) -> None:
    create_key(*files, iterations=2)
    files[1].write_text("another\n")
    with pytest.raises(Misconfigured, match=SETTING) as error:
        read_key(*files, SETTING)
    assert error.value.__suppress_context__


def test_a_missing_file_is_named(files: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"signer\.pass|signer\.json"):
        read_key(*files, SETTING)
    with pytest.raises(Misconfigured, match="FOOTNOTE_SIGNER_PASSPHRASE_FILE"):
        read_key(files[0], None, SETTING)


@pytest.mark.parametrize(
    "content",
    ["", "[]", "7", "null", '"x"', "{}", '{"crypto": 1, "version": 3}', '{"version": 3}',
     '{"crypto": {}, "version": 3}', '{"crypto": {"kdf": "x"}, "version": 3}',
     '{"crypto": {}, "version": 9}', "\x00"],
)  # fmt: skip
def test_a_file_that_is_no_keystore_is_refused_in_one_line(
    files: tuple[Path, Path], content: str
) -> None:
    files[0].parent.mkdir()
    files[0].write_text(content)
    files[1].write_text("p")
    with pytest.raises(Misconfigured, match=SETTING):
        read_key(*files, SETTING)


def test_a_key_shows_only_its_address() -> None:
    account = Account.create()
    key = Key(account)
    private = bytes(account.key).hex()
    for shown in (repr(key), str(key), f"{key}", repr([key]), repr({"key": key})):
        assert format_address(key.address) in shown
        assert private not in shown
    assert not hasattr(key, "__dict__")


def test_a_key_cannot_be_copied_or_pickled() -> None:
    for copying in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="not to be copied"):
            copying(new_key())


def test_the_same_digest_gets_the_same_signature() -> None:
    assert key_of("a").sign_digest(DIGEST) == key_of("a").sign_digest(DIGEST)


def test_a_signature_is_canonical() -> None:
    for number in range(20):
        digest = keccak(bytes([number]))
        signature = key_of("a").sign_digest(digest)
        assert len(signature) == 65
        assert signature[64] in (27, 28)
        assert int.from_bytes(signature[32:64], "big") <= ORDER // 2


def test_the_twin_of_a_signature_with_a_high_s_is_refused() -> None:
    signature = key_of("a").sign_digest(DIGEST)
    high = ORDER - int.from_bytes(signature[32:64], "big")
    twin = signature[:32] + high.to_bytes(32, "big") + bytes([55 - signature[64]])
    assert Account._recover_hash(DIGEST, signature=twin) == format_address(key_of("a").address)
    assert recover(DIGEST, twin) is None


@pytest.mark.parametrize("v", [0, 1, 2, 26, 29, 255])
def test_another_v_is_refused(v: int) -> None:
    signature = key_of("a").sign_digest(DIGEST)
    assert recover(DIGEST, signature[:64] + bytes([v])) is None


@pytest.mark.parametrize(
    "signature",
    [b"", bytes(64), bytes(64) + b"\x1b", bytes(66), b"\xff" * 64 + b"\x1b",
     ORDER.to_bytes(32, "big") + (1).to_bytes(32, "big") + b"\x1b"],
)  # fmt: skip
def test_what_is_no_signature_recovers_nobody(signature: bytes) -> None:
    assert recover(DIGEST, signature) is None


def test_a_signature_of_another_digest_recovers_somebody_else() -> None:
    assert recover(keccak(b"x"), key_of("a").sign_digest(DIGEST)) != key_of("a").address
