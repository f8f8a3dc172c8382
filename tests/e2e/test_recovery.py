"""Publishing a snapshot on chain; losing a disk and coming back."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from eth_account import Account

from cli.main import footnote
from cli.stack import clean_environment
from footnote.errors import Conflict, Invalid, NotFound
from footnote.ids import abi_encode, double_hash, keccak
from footnote.merkle import merkle_proof
from indexer.admission import Defaults
from indexer.readers.files import find_files
from rag.index.datanets import datanet_folder
from rag.index.snapshot import open_current
from rewards.audit import audit
from rewards.chain import EvmChain
from rewards.journal.journal import Journal
from rewards.marks import Marks, RolledBack
from rewards.published import receipt_object
from rewards.record import Recorder
from tests.corpus import WordEmbedder, fields, indexer, stored_texts, write_lines
from tests.money import Place, Pool, deployed, paying, place

TALES = {
    f"tale-{number}": f"The tale of {number} pigs. Each built a house. " for number in range(3)
}


@pytest.fixture
def at(instant_pool: Pool, tmp_path: Path) -> Place:
    """A Datanet with documents and a registration, under a home."""
    made = place(deployed(instant_pool.url, instant_pool.chain), tmp_path / "home", datanet="tales")
    ingest(made, TALES)
    return made


@pytest.fixture
def there(final_pool: Pool, tmp_path: Path) -> Place:
    """The same where blocks become final by themselves."""
    made = place(deployed(final_pool.url, final_pool.chain), tmp_path / "home", datanet="tales")
    ingest(made, TALES)
    return made


@pytest.fixture(autouse=True)
def home(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()


def ingest(at: Place, tales: dict[str, str]) -> None:
    lines = [fields(name, text) for name, text in tales.items()]
    path = write_lines(at.folder.parent / "tales.jsonl", lines)
    indexer(at.folder, WordEmbedder()).ingest(find_files([path]), Defaults())


def run(at: Place, *arguments: str) -> Result:
    owner = at.folder.parent / "owner.json"
    if not owner.exists():
        sealed = Account.encrypt(at.pool.owner._account.key, "secret", iterations=2)
        owner.write_text(json.dumps(sealed))
        owner.with_suffix(".pass").write_text("secret")
    settings = {
        **at.settings(), "OWNER_KEYSTORE": str(owner), 
        "OWNER_PASSPHRASE_FILE": str(owner.with_suffix(".pass")),
    }  # fmt: skip
    return CliRunner().invoke(footnote, list(arguments), env=clean_environment(**settings))


def done(result: Result) -> dict[str, Any]:
    if result.exception is not None:
        raise result.exception
    shown: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    return shown


def leaf(at: Place, name: str) -> bytes:
    """A document's leaf under a content root, as the design defines it."""
    snapshot = open_current(datanet_folder(at.folder, "tales"))
    found = snapshot.catalogue.document(name)
    assert found is not None
    return double_hash(
        abi_encode(
            ["bytes32", "bytes32", "address[]", "uint16[]"],
            [
                keccak(name.encode()), found.version, [c.address for c in found.contributors],
                [c.share_bps for c in found.contributors],
            ],
        )
    )  # fmt: skip


# Publishing


def test_a_published_snapshot_is_named_by_later_receipts_and_proves_its_documents(
    there: Place,
) -> None:
    chain, identity = there.pool.chain, there.registration.datanet_id
    snapshot = open_current(datanet_folder(there.folder, "tales")).manifest.snapshot_id
    before = there.recorder.record(paying(1, "tales", snapshot_id=snapshot))
    first = done(run(there, "publish", "tales", "--uri", "ipfs://tales"))
    assert first["version"] == 1
    assert first["tx_hash"]
    again = done(run(there, "publish", "tales"))
    assert (again["version"], again["tx_hash"]) == (1, None), "nothing is published twice"
    after = there.recorder.record(paying(1, "tales", snapshot_id=snapshot))
    other = there.recorder.record(paying(1, "tales"))
    versions = [
        there.journal.receipt(bytes.fromhex(body["receipt"]["id"][2:])).message.registry_version
        for body in (before, after, other)
    ]
    assert versions == [0, 1, 0], "a snapshot that is not published names none"
    leaves = [leaf(there, name) for name in sorted(TALES)]
    proof = merkle_proof(leaves, 1)
    assert chain.verify_document(there.pool.ledger, identity, 1, leaves[1], proof)
    assert not chain.verify_document(there.pool.ledger, identity, 1, keccak(b"other"), proof)

    ingest(there, {"tale-9": "A new tale."})
    assert done(run(there, "publish", "tales"))["version"] == 2
    assert chain.version(there.pool.ledger, identity) == 2
    assert not chain.verify_document(there.pool.ledger, identity, 2, leaves[1], proof)


def test_what_was_published_before_a_crash_is_noted_afterwards(there: Place) -> None:
    snapshot = open_current(datanet_folder(there.folder, "tales")).manifest
    chain, ledger, identity = there.pool.chain, there.pool.ledger, there.registration.datanet_id
    sent = chain.publish(there.pool.owner, ledger, identity, 0, snapshot.content_root, "")
    chain.wait_final(sent)
    assert done(run(there, "publish", "tales"))["version"] == 1
    body = there.recorder.record(paying(1, "tales", snapshot_id=snapshot.snapshot_id))
    receipt = there.journal.receipt(bytes.fromhex(body["receipt"]["id"][2:]))
    assert receipt.message.registry_version == 1


def test_publishing_what_is_not_there_says_so(there: Place) -> None:
    assert isinstance(run(there, "publish", "nothing").exception, NotFound)


# Backing up


def test_a_restored_backup_answers_pays_and_knows_what_it_lacks(at: Place, tmp_path: Path) -> None:
    marks = Marks(tmp_path / "home" / "marks")
    recorder = Recorder(at.journal, at.signer, marks)
    for number in (1, 2):
        recorder.record(paying(number, "tales"))
    copy = tmp_path / "copy"
    shown = done(run(at, "backup", str(copy)))
    assert shown["files"] == len([p for p in copy.rglob("*") if p.is_file()]) - 1
    names = {path.name for path in copy.rglob("*")}
    assert not names & {"distributor.json", "distributor.pass", "marks", "cache"}
    assert (copy / "journal.sqlite").stat().st_mode & 0o077 == 0

    late = recorder.record(paying(3, "tales"))
    kept = receipt_object(at.journal, bytes.fromhex(late["receipt"]["id"][2:]))
    at.journal.close()
    refused = run(at, "restore", str(copy))
    assert isinstance(refused.exception, Conflict), "nothing is overwritten"
    shutil.rmtree(at.folder / "datanets")
    for path in at.folder.glob("journal.sqlite*"):
        path.unlink()
    assert done(run(at, "restore", str(copy)))["resume"] == ["tales"]
    assert stored_texts(at.folder) == TALES
    with pytest.raises(RolledBack):
        recorder.record(paying(4, "tales"))
    at.settle()
    assert at.cursor() == 2, "what it holds is paid"

    saved = tmp_path / "saved.json"
    saved.write_text(json.dumps(kept))
    resumed = done(run(at, "journal", "resume", "tales", str(saved)))
    assert resumed["ledgers"][0]["readmitted"] == 1
    recorder.record(paying(4, "tales"))
    at.settle()
    assert at.cursor() == 4
    assert at.credited() == at.owed()
    assert audit(at.journal, EvmChain(at.pool.url, confirmations=0)).differences == []


def test_restoring_over_a_home_puts_it_aside_only_when_told(at: Place, tmp_path: Path) -> None:
    at.record(1)
    done(run(at, "backup", str(tmp_path / "copy")))
    at.record(2)
    at.journal.close()
    assert done(run(at, "restore", str(tmp_path / "copy"), "--replace"))["resume"] == ["tales"]
    assert at.journal.next_seq(at.ledger_id, "tales") == 1
    (aside,) = at.folder.glob("before-restore-*")
    assert {"journal.sqlite", "datanets"} <= {path.name for path in aside.iterdir()}
    assert Journal(f"sqlite:///{aside / 'journal.sqlite'}").next_seq(at.ledger_id, "tales") == 2
    assert stored_texts(at.folder) == TALES


@pytest.mark.parametrize("damage", ["changed", "missing", "strange", "manifest", "empty"])
def test_a_damaged_backup_changes_nothing(at: Place, tmp_path: Path, damage: str) -> None:
    at.record(1)
    copy = tmp_path / "copy"
    done(run(at, "backup", str(copy)))
    texts = next(copy.rglob("texts.sqlite"))
    match damage:
        case "changed":
            texts.write_bytes(texts.read_bytes()[:-1] + b"x")
        case "missing":
            texts.unlink()
        case "strange":
            (copy / "more").write_text("x")
        case "manifest":
            (copy / "manifest.json").write_text("{}")
        case "empty":
            shutil.rmtree(copy)
            copy.mkdir()
    refused = run(at, "restore", str(copy), "--replace").exception
    assert isinstance(refused, Invalid | NotFound)
    assert at.journal.next_seq(at.ledger_id, "tales") == 1
    assert list(at.folder.glob("*before-restore*")) == []


def test_a_log_that_was_left_behind_is_not_taken_for_the_restored_journals(
    at: Place, tmp_path: Path
) -> None:
    at.record(1)
    done(run(at, "backup", str(tmp_path / "copy")))
    at.journal.close()
    for path in at.folder.glob("journal.sqlite*"):
        path.unlink()
    shutil.rmtree(at.folder / "datanets")
    (at.folder / "journal.sqlite-wal").write_bytes(b"of another journal")
    assert isinstance(run(at, "restore", str(tmp_path / "copy")).exception, Conflict)
    done(run(at, "restore", str(tmp_path / "copy"), "--replace"))
    assert at.journal.next_seq(at.ledger_id, "tales") == 1


def test_a_backup_holds_what_lies_behind_links(at: Place, tmp_path: Path) -> None:
    datanet = at.folder / "datanets" / "tales"
    datanet.rename(tmp_path / "larger-disk")
    datanet.symlink_to(tmp_path / "larger-disk")
    done(run(at, "backup", str(tmp_path / "copy")))
    shutil.rmtree(at.folder / "datanets")
    done(run(at, "restore", str(tmp_path / "copy"), "--replace"))
    assert stored_texts(at.folder) == TALES


def test_a_backup_never_overwrites_and_leaves_nothing_half_done(at: Place, tmp_path: Path) -> None:
    (tmp_path / "copy").mkdir()
    assert isinstance(run(at, "backup", str(tmp_path / "copy")).exception, Conflict)
    at.journal.close()
    for path in at.folder.glob("journal.sqlite*"):
        path.unlink()
    (at.folder / "journal.sqlite").mkdir()
    assert isinstance(run(at, "backup", str(tmp_path / "other")).exception, Exception)
    assert not list(tmp_path.glob("*other*"))
