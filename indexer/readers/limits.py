"""What reading one file may cost."""

from __future__ import annotations

from dataclasses import dataclass

MIN_MEMORY_BYTES = 1 << 30
_MEMORY_FOR_A_BYTE = 40
"""What python-docx takes for a byte of a document that is all mark-up."""


@dataclass(frozen=True, slots=True)
class Limits:
    """``memory_bytes`` bounds the address space of the process that reads, ``cpu_seconds`` what it
    computes for one file, ``wall_seconds`` how long one file is waited for, and ``text_bytes`` what
    may come out of it."""

    text_bytes: int
    memory_bytes: int = MIN_MEMORY_BYTES
    cpu_seconds: int = 120
    wall_seconds: float = 240.0

    @staticmethod
    def of(max_document_bytes: int) -> Limits:
        """Enough for any honest document of that size."""
        memory = max(MIN_MEMORY_BYTES, _MEMORY_FOR_A_BYTE * max_document_bytes)
        return Limits(max_document_bytes, memory)
