"""Which adapter a name stands for: a folder of adapters, and those that an operator added."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from footnote.errors import Invalid
from openlora.validation import CONFIG, check_name


@dataclass(frozen=True, slots=True)
class Entry:
    """One adapter under its name. ``number`` differs when a name is given anew, so that weights
    in memory never stand for another folder's."""

    name: str
    folder: Path
    number: int


class Catalogue:
    """Names to folders. A name in the adapters' folder needs no registration."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[str, Entry] = {}
        self._numbers = itertools.count()

    def find(self, name: str) -> Entry | None:
        """The adapter called ``name``; None where there is none, or the name is no plain name."""
        if name in self._known:
            return self._known[name]
        try:
            folder = self._folder / check_name(name)
        except Invalid:
            return None
        if not (folder / CONFIG).is_file():
            return None
        return self.add(name, folder)

    def __contains__(self, name: str) -> bool:
        return name in self._known

    def add(self, name: str, folder: Path) -> Entry:
        """From now on ``name`` stands for the adapter in ``folder``."""
        entry = Entry(check_name(name), folder, next(self._numbers))
        self._known[name] = entry
        return entry

    def remove(self, name: str) -> Entry | None:
        """Forget ``name``. One that lies in the adapters' folder is found there again."""
        return self._known.pop(name, None)

    def __iter__(self) -> Iterator[tuple[str, Path]]:
        """Every name with its folder: added ones, and all that the adapters' folder holds."""
        found = {name: entry.folder for name, entry in self._known.items()}
        if self._folder.is_dir():
            for path in self._folder.iterdir():
                if path.name not in found and (path / CONFIG).is_file():
                    found[path.name] = path
        yield from sorted(found.items())
