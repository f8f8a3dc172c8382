"""The process that opens what strangers packed: it reads files that are handed to it and can do
little else. :mod:`indexer.readers.isolation` starts it.

Its limits stand before the first byte of a file arrives. It opens no file of its own accord, may
write none, and ends with whoever started it.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from indexer.readers import docx, html, json_lines, pdf
from indexer.readers.frames import Ended, receive, send
from indexer.readers.limits import Limits
from indexer.readers.submission import Submission, Unreadable

_READERS: Mapping[str, Callable[[str, bytes], Submission | Unreadable]] = {
    ".html": html.read,
    ".htm": html.read,
    ".pdf": pdf.read,
    ".docx": docx.read,
    ".jsonl": json_lines.read,
}
_OPEN_FILES = 32
_LARGEST_REQUEST = 1 << 40
_MAX_FIELDS_BYTES = 1_000_000
_WORN_SHARE = 4
"""What holds a quarter of its memory between two files is replaced, so that the next finds all."""


def main() -> None:
    """Read what comes on standard input until it ends."""
    answers = os.dup(1)
    os.dup2(2, 1)  # a library that prints must not be taken for an answer
    memory_bytes, cpu_seconds, text_bytes = (int(number) for number in sys.argv[1:4])
    limits = Limits(text_bytes, memory_bytes, cpu_seconds)
    _confine(limits)
    with suppress(Ended, KeyboardInterrupt):
        while True:
            kind, name = json.loads(receive(0, _LARGEST_REQUEST))
            data = receive(0, _LARGEST_REQUEST)
            _allow(limits.cpu_seconds)
            send(answers, _read(kind, name, data, limits))


def _confine(limits: Limits) -> None:
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_FSIZE, 0)
    _limit(resource.RLIMIT_NOFILE, _OPEN_FILES)
    _limit(resource.RLIMIT_AS, limits.memory_bytes)


def _limit(what: int, value: int) -> None:
    with suppress(ValueError, OSError):  # macOS knows no limit on address space
        resource.setrlimit(what, (value, value))


def _allow(cpu_seconds: int) -> None:
    """So many more seconds of computing, after which the system ends this process."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    spent = int(usage.ru_utime + usage.ru_stime) + 1
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (spent + cpu_seconds, hard))


def _read(kind: str, name: str, data: bytes, limits: Limits) -> bytes:
    """JSON of what :meth:`indexer.readers.isolation.IsolatedReader.read` makes its result of."""
    try:
        answer = _answer(_READERS[kind](name, data), limits)
    except MemoryError:
        return json.dumps({"refused": name, "costs": "memory", "worn": True}).encode()
    except RecursionError:
        answer = {"refused": name, "reason": "nested too deeply"}
    except ValueError as error:
        answer = {"refused": name, "reason": str(error)}
    return json.dumps({**answer, "worn": _is_worn(limits)}).encode()


def _answer(found: Submission | Unreadable, limits: Limits) -> dict[str, object]:
    if isinstance(found, Unreadable):
        return {"refused": found.document_id, "reason": found.reason}
    if len(found.text.encode("utf-8", "surrogatepass")) > limits.text_bytes:
        raise ValueError(f"text over {limits.text_bytes:,} bytes")
    fields = {key: value for key, value in found.fields.items() if key != "text"}
    if len(json.dumps(fields)) > _MAX_FIELDS_BYTES:  # it would unfold again where it is read
        raise ValueError(f"fields over {_MAX_FIELDS_BYTES:,} bytes")
    return {
        "id": found.document_id,
        "text": found.text,
        "fields": fields,
        "heading": found.heading,
        "hidden": found.hidden,
    }


def _is_worn(limits: Limits) -> bool:
    """By what this process holds now: what its reading has not given back, it never will."""
    try:
        pages = Path("/proc/self/statm").read_text().split()[1]
    except OSError:  # not Linux
        return False
    return int(pages) * resource.getpagesize() > limits.memory_bytes // _WORN_SHARE


if __name__ == "__main__":
    main()
