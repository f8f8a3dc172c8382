"""Forks real workers, so that a hundred starts do not cost a hundred imports.

Reads one JSON order a line, answers with the child's process id. Run as ``python -m
tests.faults.nursery``.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from dataclasses import replace
from typing import Any

from sqlalchemy import event

from footnote.errors import Unavailable
from footnote.settings import read_settings
from rewards.worker import build_worker


def main() -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    print("ready", flush=True)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            _work(json.loads(line))
            os._exit(0)
        print(child, flush=True)


def _work(order: dict[str, Any]) -> None:
    """A worker with this order's settings; its clock may be wrong and its disk full."""
    for name in [name for name in os.environ if name.startswith("FOOTNOTE_")]:
        del os.environ[name]
    os.environ.update(order["environment"])
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(log, 1)
    os.dup2(log, 2)
    try:
        worker = build_worker(read_settings())
    except Unavailable as error:  # as the command does, and whoever keeps it up starts it again
        print(error, flush=True)
        return
    skew = float(order["skew"])
    worker.settler = replace(worker.settler, clock=lambda: time.time() + skew)
    if order["disk_full"]:
        _fill_disk(worker.settler.journal)
    worker.run(threading.Event())


def _fill_disk(journal: Any) -> None:
    """SQLite lets this process's connections grow the file no further; PostgreSQL takes no writes
    from them."""
    server = journal._engine.dialect.name == "postgresql"

    @event.listens_for(journal._engine, "connect")
    def limit(connection: Any, _: Any) -> None:
        if server:
            connection.execute("SET default_transaction_read_only = on")
            connection.commit()
            return
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages}")

    journal.close()


if __name__ == "__main__":
    main()
