"""Whether a zip archive may be unpacked, told from its directory alone.

What the directory says of sizes is a claim. Only stored and deflated members are let through:
for those ``zipfile`` stops at the size claimed, for others it unpacks a piece without bound.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

MAX_UNPACKED_BYTES = 100_000_000
MAX_MEMBERS = 10_000
MAX_RATIO = 200
_RATIO_MATTERS_BYTES = 10_000_000
"""Below this even the worst ratio costs nothing."""
_LOCAL_HEADER_BYTES = 30


def check_archive(data: bytes, what: str) -> None:
    """Raise ValueError, which calls the archive ``what``, unless it is safe to unpack."""
    try:
        with ZipFile(io.BytesIO(data)) as archive:
            _check_directory(archive.infolist(), what)
    except (BadZipFile, NotImplementedError) as error:
        raise ValueError(f"a damaged {what}") from error


def _check_directory(members: Sequence[ZipInfo], what: str) -> None:
    if len(members) > MAX_MEMBERS:
        raise ValueError(f"a {what} of over {MAX_MEMBERS:,} parts")
    unpacked = sum(member.file_size for member in members)
    packed = sum(member.compress_size for member in members)
    if unpacked > MAX_UNPACKED_BYTES:
        raise ValueError(f"a {what} that unpacks beyond {MAX_UNPACKED_BYTES // 1_000_000} MB")
    if unpacked > max(_RATIO_MATTERS_BYTES, MAX_RATIO * packed):
        raise ValueError(f"a {what} that unpacks to over {MAX_RATIO} times its size")
    if any(member.compress_type not in (ZIP_STORED, ZIP_DEFLATED) for member in members):
        raise ValueError(f"a {what} packed in a way that none is")
    end = 0
    for member in sorted(members, key=lambda member: member.header_offset):
        if member.header_offset < end:
            raise ValueError(f"a {what} whose parts lie upon each other")
        end = member.header_offset + _LOCAL_HEADER_BYTES + member.compress_size
