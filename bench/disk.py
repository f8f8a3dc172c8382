"""A disk that forgets what it was not told to keep.

One file, served through FUSE; a loop device over it is a disk whose every write passes here. What
is written lies in a cache until the disk is told to flush: that is what real disks promise, and all
that they promise. So what a power loss leaves can be made for any moment: what was flushed, and of
the rest nothing, everything, or any part.

Needs root, ``/dev/fuse`` and loop devices. The protocol is that of ``linux/fuse.h``, version 7.31,
and of it only what one file needs.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import random
import stat
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from pathlib import Path

BLOCK = 4_096
_MAX_WRITE = 131_072
_LARGEST_REQUEST = _MAX_WRITE + BLOCK

_IN_HEADER, _OUT_HEADER = struct.Struct("<IIQQIIIHH"), struct.Struct("<IiQ")
_VERSION, _ATTRIBUTES = struct.Struct("<IIIIHHIIHH8I"), struct.Struct("<QQQQQQ10I")
_READ_OR_WRITE = struct.Struct("<QQIIQII")
_BIG_WRITES = 1 << 5
_MS_PRIVATE_ALL, _CLONE_NEWNS = 0x44000, 0x20000


class Request(IntEnum):
    """What the kernel asks of a file."""

    FORGET = 2
    ATTRIBUTES = 3
    OPEN = 14
    READ = 15
    WRITE = 16
    RELEASE = 18
    FSYNC = 20
    CLOSE = 25
    VERSION = 26
    DESTROY = 38


class Kept(StrEnum):
    """What is left of writes that were not flushed."""

    NOTHING = "nothing"
    SOME = "some"
    EVERYTHING = "everything"


def mount_apart() -> None:
    """Give this process mounts of its own, which end with it.

    Raises:
        PermissionError: it may not.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNS) or libc.mount(b"none", b"/", None, _MS_PRIVATE_ALL, None):
        raise PermissionError(ctypes.get_errno(), "this process may not have mounts of its own")


@dataclass(slots=True)
class Disk:
    """Serves the bytes of ``content`` as the file ``place``."""

    place: Path
    content: bytearray
    flushes: int = 0
    writes: int = 0
    _durable: bytearray = field(init=False)
    _cached: list[tuple[int, bytes]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._durable = bytearray(self.content)

    @contextlib.contextmanager
    def served(self) -> Iterator[None]:
        """Mount it over ``place``, which must exist."""
        channel = os.open("/dev/fuse", os.O_RDWR)
        libc = ctypes.CDLL(None, use_errno=True)
        options = f"fd={channel},rootmode={stat.S_IFREG:o},user_id=0,group_id=0".encode()
        if libc.mount(b"disk", str(self.place).encode(), b"fuse", 0, options):
            os.close(channel)
            raise PermissionError(ctypes.get_errno(), "FUSE may not be mounted here")
        server = threading.Thread(target=self._serve, args=(channel,), daemon=True)
        server.start()
        try:
            yield
        finally:
            libc.umount2(str(self.place).encode(), 0)
            server.join(5.0)
            os.close(channel)

    def after_power_loss(self, kept: Kept, chance: random.Random) -> bytes:
        """What the disk would hold if the power failed now."""
        with self._lock:
            left = bytearray(self._durable)
            cached = list(self._cached)
        for offset, data in cached:
            for start in range(0, len(data), BLOCK):
                if kept is Kept.EVERYTHING or (kept is Kept.SOME and chance.random() < 0.5):
                    part = data[start : start + BLOCK]
                    left[offset + start : offset + start + len(part)] = part
        return bytes(left)

    def _serve(self, channel: int) -> None:
        while True:
            try:
                request = os.read(channel, _LARGEST_REQUEST + _IN_HEADER.size)
            except OSError as error:
                if error.errno in (errno.EINTR, errno.ENOENT, errno.EAGAIN):
                    continue
                return  # unmounted
            _, code, unique, *_ = _IN_HEADER.unpack_from(request)
            if code == Request.FORGET:
                continue  # the one request that wants no answer
            failure, reply = self._answer(code, request[_IN_HEADER.size :])
            header = _OUT_HEADER.pack(_OUT_HEADER.size + len(reply), -failure, unique)
            with contextlib.suppress(OSError):  # interrupted: nobody waits for it any more
                os.write(channel, header + reply)

    def _answer(self, code: int, body: bytes) -> tuple[int, bytes]:
        """(errno or 0, what is said)"""
        match code:
            case Request.VERSION:
                return 0, _VERSION.pack(7, 31, 0, _BIG_WRITES, 16, 12, _MAX_WRITE, 1, *(0,) * 10)
            case Request.ATTRIBUTES:
                return 0, struct.pack("<QII", 3_600, 0, 0) + self._attributes()
            case Request.OPEN:
                return 0, struct.pack("<QII", 0, 0, 0)
            case Request.READ:
                _, offset, size, *_ = _READ_OR_WRITE.unpack_from(body)
                return 0, bytes(self.content[offset : offset + size])
            case Request.WRITE:
                _, offset, size, *_ = _READ_OR_WRITE.unpack_from(body)
                start = _READ_OR_WRITE.size
                self._write(offset, body[start : start + size])
                return 0, struct.pack("<II", size, 0)
            case Request.FSYNC:
                self._flush()
                return 0, b""
            case Request.RELEASE | Request.CLOSE | Request.DESTROY:
                return 0, b""
        return errno.ENOSYS, b""

    def _write(self, offset: int, data: bytes) -> None:
        with self._lock:
            self.writes += 1
            self.content[offset : offset + len(data)] = data
            self._cached.append((offset, data))

    def _flush(self) -> None:
        with self._lock:
            self.flushes += 1
            for offset, data in self._cached:
                self._durable[offset : offset + len(data)] = data
            self._cached.clear()

    def _attributes(self) -> bytes:
        size = len(self.content)
        mode = stat.S_IFREG | 0o600
        return _ATTRIBUTES.pack(1, size, size // 512, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, BLOCK, 0)
