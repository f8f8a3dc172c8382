"""The high-water mark: the receipt issued last, noted outside the journal.

A journal that is restored from an older copy has lost receipts that people hold, and nothing in it
shows that. So after each commit, before the response, the newest receipt's number and digest are
noted in a file of their own. A mark behind the journal is normal (a crash between the two). A mark
ahead of it, or one that names another digest, stops issuing until an operator resumes it.

    FOOTNOTE_MARKS/<datanet>.<ledger>.mark      two slots of 256 bytes, written in turn

Each slot is one line of JSON with a checksum, so that a torn write leaves the other one.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from footnote import strict_json
from footnote.errors import Broken, StorageFull, Unavailable
from footnote.files import sync
from footnote.ids import keccak

SLOT_BYTES = 256


class RolledBack(Broken):
    """The journal lacks receipts that were issued, or holds others in their place."""

    default_code = "journal-rolled-back"


@dataclass(frozen=True, slots=True)
class Mark:
    """A receipt's number and digest."""

    seq: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class Marks:
    """The marks in a folder. Several processes may share it."""

    folder: Path

    def read(self, ledger_id: bytes, datanet: str) -> Mark | None:
        """The mark of a Datanet in a Ledger; None where nothing was noted yet.

        Raises:
            RolledBack: the file holds no mark that can be read.
            Unavailable: the file cannot be opened.
        """
        try:
            with self._path(ledger_id, datanet).open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_SH)
                return _newest(file.read(2 * SLOT_BYTES))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _unusable(error) from error

    def ledgers(self, datanet: str) -> list[bytes]:
        """The ids of the Ledgers in which a Datanet has a mark."""
        pattern = re.compile(re.escape(datanet) + r"\.([0-9a-f]{64})\.mark")
        names = (pattern.fullmatch(path.name) for path in sorted(self.folder.glob("*.mark")))
        return [bytes.fromhex(name[1]) for name in names if name]

    def of(self, datanet: str) -> dict[bytes, Mark]:
        """Every mark of a Datanet by the Ledger's id. Errors as :meth:`read`."""
        marks = ((ledger_id, self.read(ledger_id, datanet)) for ledger_id in self.ledgers(datanet))
        return {ledger_id: mark for ledger_id, mark in marks if mark is not None}

    def begun(self, ledger_id: bytes, datanet: str) -> bool:
        """Whether a mark was noted, or its file made whole for the first one. It is, blank, before
        the first receipt is committed: still blank, a crash came between, and nobody was answered.
        """
        try:
            return self._path(ledger_id, datanet).stat().st_size >= 2 * SLOT_BYTES
        except FileNotFoundError:
            return False
        except OSError as error:
            raise _unusable(error) from error

    def forget(self, ledger_id: bytes, datanet: str) -> None:
        """Remove a mark: what an operator decides whose journal does not know that Ledger."""
        self._path(ledger_id, datanet).unlink(missing_ok=True)

    def note(self, ledger_id: bytes, datanet: str, mark: Mark) -> None:
        """Raise the mark to ``mark``, durably; a lower one changes nothing.

        Raises:
            RolledBack: another receipt of that number was noted.
            StorageFull, Unavailable: it could not be written.
        """
        self._write(ledger_id, datanet, mark, only_up=True)

    def check_writable(self, ledger_id: bytes, datanet: str) -> None:
        """Raise, as :meth:`note` would, where a mark could not be written now."""
        try:
            with self._open(self._path(ledger_id, datanet)):
                pass
        except OSError as error:
            raise _unusable(error) from error

    def reset(self, ledger_id: bytes, datanet: str, mark: Mark) -> None:
        """Set the mark, whatever it was: what an operator decides who resumes."""
        self._write(ledger_id, datanet, mark, only_up=False)

    def _write(self, ledger_id: bytes, datanet: str, mark: Mark, *, only_up: bool) -> None:
        try:
            with self._open(self._path(ledger_id, datanet)) as descriptor:
                held = os.pread(descriptor, 2 * SLOT_BYTES, 0)
                slots = [_slot(held[:SLOT_BYTES]), _slot(held[SLOT_BYTES:])]
                known = {slot.seq: slot for slot in slots if slot is not None}
                if only_up and known and max(known) >= mark.seq:
                    if known.get(mark.seq, mark) != mark:
                        raise RolledBack(
                            f"receipt {mark.seq} of {datanet} was issued twice, differently",
                            "stop all but one of the services that issue, and run footnote journal "
                            "resume",
                        )
                    return
                # the slot that holds the newest mark stays whole until the other one is written
                newest = slots[1] is not None and (slots[0] is None or slots[1].seq > slots[0].seq)
                target = 0 if newest else 1
                os.pwrite(descriptor, _line(mark), target * SLOT_BYTES)
                os.fdatasync(descriptor)
                if not only_up:
                    os.pwrite(descriptor, _line(mark), (1 - target) * SLOT_BYTES)
                    os.fdatasync(descriptor)
        except OSError as error:
            raise _unusable(error) from error

    def _path(self, ledger_id: bytes, datanet: str) -> Path:
        return self.folder / f"{datanet}.{ledger_id.hex()}.mark"

    @contextmanager
    def _open(self, path: Path) -> Iterator[int]:
        """The locked file, of its full length, so that a note changes no file size."""
        created = not path.exists()
        if created:
            path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if os.fstat(descriptor).st_size < 2 * SLOT_BYTES:
                os.pwrite(descriptor, b" " * 2 * SLOT_BYTES, 0)
            if created:
                os.fsync(descriptor)
                sync(path.parent)
            yield descriptor
        finally:
            os.close(descriptor)


def check(mark: Mark, digest_at_mark: bytes | None, datanet: str) -> None:
    """Raise RolledBack unless a journal holds the receipt that the mark names; ``digest_at_mark``
    is what it holds at that number, None where it ends before."""
    if digest_at_mark is None:
        raise RolledBack(
            f"receipts up to {mark.seq} of {datanet} were issued, and the journal lacks some",
            "restore the newest journal, or run footnote journal resume",
        )
    if digest_at_mark != mark.digest:
        raise RolledBack(
            f"receipt {mark.seq} of {datanet} is not the one that was issued",
            "restore the newest journal, or run footnote journal resume",
        )


def _newest(held: bytes) -> Mark | None:
    slots = [_slot(held[:SLOT_BYTES]), _slot(held[SLOT_BYTES:])]
    marks = [slot for slot in slots if slot is not None]
    if not marks and held.strip():
        raise RolledBack(
            "the high-water mark cannot be read", "run footnote journal resume to set it anew"
        )
    return max(marks, key=lambda mark: mark.seq, default=None)


def _slot(raw: bytes) -> Mark | None:
    """The mark in a slot; None for one that was never, or not wholly, written."""
    try:
        shown = strict_json.loads(raw)
        assert isinstance(shown, dict)
        mark = Mark(shown["seq"], bytes.fromhex(shown["digest"][2:]))
        return mark if _line(mark) == raw else None
    except (ValueError, KeyError, TypeError, AssertionError):
        return None


def _line(mark: Mark) -> bytes:
    shown = {"seq": mark.seq, "digest": "0x" + mark.digest.hex()}
    check_sum = keccak(json.dumps(shown).encode())[:8].hex()
    line = json.dumps({**shown, "check": check_sum}).encode()
    return line.ljust(SLOT_BYTES - 1) + b"\n"


def _unusable(error: OSError) -> StorageFull | Unavailable:
    if error.errno in (28, 122):  # ENOSPC, EDQUOT
        return StorageFull("no room for the high-water mark", "free some disk space")
    return Unavailable("the high-water mark cannot be used", "check FOOTNOTE_MARKS and its folder")
