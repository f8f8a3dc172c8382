"""The LoRA adapters of Datanets.

HOME/adapters/<id>/                    the two files that PEFT writes, as a model server loads them
HOME/datanets/<name>/adapters.json     which a Datanet has, who owns each, which is the default

An id is ``<datanet>-<first 12 hex digits of the hash of its files>`` and never names other weights:
model servers keep what they computed under a name, also after that name is loaded again.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from filelock import FileLock

from footnote.addresses import Address, format_address, parse_address
from footnote.errors import Broken, Invalid, NotFound
from footnote.model import Definition
from rag.index.datanets import published_folder

FILES = ("adapter_config.json", "adapter_model.safetensors")
_ID = re.compile(r".+-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class Adapter:
    """One adapter of a Datanet. ``sha256`` is over its files; ``base`` the id of its base model."""

    adapter_id: str
    sha256: bytes
    base: str
    rank: int
    owner: Address | None
    license: str

    @property
    def definition(self) -> Definition:
        """What a receipt names: a policy may pay its owner."""
        return Definition({"kind": "adapter", **self.as_json()})

    def as_json(self) -> dict[str, Any]:
        return {
            "id": self.adapter_id,
            "sha256": self.sha256.hex(),
            "base": self.base,
            "rank": self.rank,
            "owner": None if self.owner is None else format_address(self.owner),
            "license": self.license,
        }


@dataclass(frozen=True, slots=True)
class DatanetAdapters:
    """All of a Datanet's, by id. ``default`` answers a question that names none;
    ``fallback`` lets the base answer where the model server cannot serve the default."""

    adapters: Mapping[str, Adapter]
    default: str | None = None
    fallback: bool = False

    def get(self, adapter_id: str) -> Adapter:
        if adapter_id not in self.adapters:
            raise NotFound(
                "the Datanet has no such adapter", "list them with footnote adapters list"
            )
        return self.adapters[adapter_id]


class AdapterStore:
    """Adapters on disk, shared by processes."""

    def __init__(self, home: Path) -> None:
        self._home = home

    @property
    def folder(self) -> Path:
        """What a model server is given."""
        return self._home / "adapters"

    def of(self, datanet: str) -> DatanetAdapters:
        """The adapters of a Datanet; NotFound for an unknown one."""
        path = self._index(datanet)
        try:
            body = json.loads(path.read_bytes())
            found = [_adapter(shown) for shown in body["adapters"]]
            return DatanetAdapters(
                {one.adapter_id: one for one in found}, body["default"], body["fallback"]
            )
        except FileNotFoundError:
            return DatanetAdapters({})
        except (ValueError, KeyError, TypeError) as error:
            raise Broken(f"{path} cannot be read", "restore it from a backup") from error

    def add(self, datanet: str, source: Path, adapter: Adapter) -> Adapter:
        """Copy the files in ``source`` and list the adapter. The same one again changes only its
        licence, its owner where one is given, and a stored copy that was damaged."""
        with self._changing(datanet) as index:
            former = index[0].adapters.get(adapter.adapter_id)
            if former is not None and adapter.owner is None:
                adapter = replace(adapter, owner=former.owner)
            if not self.is_intact(adapter):
                _copy(source, self.folder / adapter.adapter_id, adapter.sha256)
            index[0] = replace(
                index[0], adapters={**index[0].adapters, adapter.adapter_id: adapter}
            )
        return adapter

    def is_intact(self, adapter: Adapter) -> bool:
        """Whether the stored files are those that the adapter's hash names."""
        return _digest(self.folder / adapter.adapter_id) == adapter.sha256

    def remove(self, datanet: str, adapter_id: str) -> None:
        """Take an adapter out; receipts that name it keep its definition."""
        with self._changing(datanet) as index:
            adapters = dict(index[0].adapters)
            del adapters[index[0].get(adapter_id).adapter_id]
            default = None if index[0].default == adapter_id else index[0].default
            index[0] = replace(index[0], adapters=adapters, default=default)
        shutil.rmtree(self.folder / adapter_id, ignore_errors=True)

    def set_default(self, datanet: str, adapter_id: str | None, *, fallback: bool) -> None:
        """``adapter_id`` None lets the base answer."""
        with self._changing(datanet) as index:
            default = None if adapter_id is None else index[0].get(adapter_id).adapter_id
            index[0] = replace(index[0], default=default, fallback=fallback)

    def _index(self, datanet: str) -> Path:
        return published_folder(self._home, datanet).path / "adapters.json"

    @contextmanager
    def _changing(self, datanet: str) -> Iterator[list[DatanetAdapters]]:
        """The list in a box; what stands in the box at the end is written, whole or not at all."""
        path = self._index(datanet)
        with FileLock(path.with_suffix(".lock")):
            box = [self.of(datanet)]
            yield box
            body = {
                "default": box[0].default,
                "fallback": box[0].fallback,
                "adapters": [a.as_json() for _, a in sorted(box[0].adapters.items())],
            }
            fresh = path.with_suffix(".new")
            with fresh.open("w", encoding="utf-8") as file:
                json.dump(body, file, indent=1)
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(path)


def adapter_id(datanet: str, sha256: bytes) -> str:
    return f"{datanet}-{sha256.hex()[:12]}"


def looks_like_id(name: str) -> bool:
    """Whether ``name`` has the form of a Datanet's adapter."""
    return _ID.fullmatch(name) is not None


def _digest(folder: Path) -> bytes | None:
    """The hash that names an adapter's files, as the model server counts it too; None where one of
    them is missing."""
    whole = hashlib.sha256()
    try:
        for name in FILES:
            with (folder / name).open("rb") as file:
                whole.update(hashlib.file_digest(file, "sha256").digest())
    except OSError:
        return None
    return whole.digest()


def _copy(source: Path, target: Path, sha256: bytes) -> None:
    """Both files, then one rename: a model server never sees half an adapter. What stood there
    before goes."""
    target.parent.mkdir(parents=True, exist_ok=True)
    incoming = target.parent / f".incoming-{os.getpid()}"
    former = target.parent / f".former-{os.getpid()}"
    shutil.rmtree(incoming, ignore_errors=True)
    shutil.rmtree(former, ignore_errors=True)
    incoming.mkdir()
    try:
        for name in FILES:
            shutil.copyfile(source / name, incoming / name)
        if _digest(incoming) != sha256:
            raise Invalid("the adapter changed while it was copied", "add it again")
        if target.exists():
            target.rename(former)
        incoming.rename(target)
    except FileNotFoundError as error:
        raise Invalid(f"the adapter has no {Path(error.filename).name}", "see PEFT") from error
    finally:
        shutil.rmtree(incoming, ignore_errors=True)
        shutil.rmtree(former, ignore_errors=True)


def _adapter(shown: Mapping[str, Any]) -> Adapter:
    owner = shown["owner"]
    return Adapter(
        shown["id"],
        bytes.fromhex(shown["sha256"]),
        shown["base"],
        int(shown["rank"]),
        None if owner is None else parse_address(owner),
        shown["license"],
    )
