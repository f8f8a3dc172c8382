"""The footnote command with a journal that is not flushed: what a trial of power loss must catch.

    python -m bench.careless SYNCHRONOUS serve …

``SYNCHRONOUS`` is SQLite's: OFF or NORMAL. Never use it for anything that is owed.
"""

from __future__ import annotations

import sys
from typing import Any

from sqlalchemy import event
from sqlalchemy.pool import Pool

from cli.main import main


def _unflushed(synchronous: str) -> None:
    @event.listens_for(Pool, "checkout")
    def configure(connection: Any, *_: Any) -> None:
        connection.execute(f"PRAGMA synchronous = {synchronous}")


if __name__ == "__main__":
    _unflushed({"OFF": "OFF", "NORMAL": "NORMAL"}[sys.argv.pop(1)])
    main()
