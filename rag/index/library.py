"""All published Datanets under one home, each at its newest snapshot."""

from __future__ import annotations

import threading
from contextlib import suppress
from pathlib import Path

from footnote.errors import Broken
from rag.index.datanets import datanet_names, published_folder
from rag.index.snapshot import CurrentSnapshot, Snapshot, current_manifest


def exports_named(home: Path) -> set[str]:
    """The exports of embedding models that the current manifests under ``home`` name."""
    found = set()
    for name in datanet_names(home):
        with suppress(Broken):
            manifest = current_manifest(published_folder(home, name), whole=False)
            if manifest is not None and manifest.export is not None:
                found.add(manifest.export)
    return found


class Library:
    """Opens snapshots when they are first asked for and keeps them open."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._lock = threading.Lock()
        self._open: dict[str, CurrentSnapshot] = {}

    @property
    def home(self) -> Path:
        return self._home

    def names(self) -> list[str]:
        return datanet_names(self._home)

    def snapshot(self, datanet: str) -> Snapshot:
        """The Snapshot to answer the next question from; NotFound for an unknown Datanet."""
        with self._lock:
            current = self._open.get(datanet)
            if current is None:
                current = CurrentSnapshot(published_folder(self._home, datanet))
                self._open[datanet] = current
        return current.get()
