"""A private PostgreSQL server that ends with whoever started it."""

from __future__ import annotations

import ctypes
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psycopg

from cli.stack import free_port
from rewards.journal.journal import Journal

_PR_SET_PDEATHSIG = 1
_USER = "footnote"


def server_program(name: str) -> str | None:
    """``initdb`` or ``postgres``: of PATH, else of the newest that Debian keeps elsewhere."""
    kept = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return shutil.which(name) or (str(kept[-1]) if kept else None)


def _account() -> dict[str, Any]:
    """Another account for a server that refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        try:
            user = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    return {}


@dataclass(slots=True)
class Postgres:
    """One server on a free port, its data in a folder of its own. Durable, as a real one is."""

    port: int = field(default_factory=free_port)
    _password: str = field(default_factory=lambda: secrets.token_hex(8), repr=False)
    _made: int = 0
    _folder: Path = field(init=False)
    _server: subprocess.Popen[bytes] = field(init=False)

    def __enter__(self) -> Self:
        self._folder = Path(tempfile.mkdtemp(prefix="footnote-postgres-"))
        account = _account()
        if account:
            os.chown(self._folder, account["user"], account["group"])
        secret = self._folder / "password"
        secret.write_text(self._password)
        secret.chmod(0o644)  # the folder itself is closed to others
        subprocess.run(
            [_program("initdb"), "--pgdata", str(self._data), "--username", _USER,
             "--pwfile", str(secret), "--auth", "scram-sha-256", "--no-locale",
             "--encoding", "UTF8", "--no-sync"],
            check=True, capture_output=True, cwd="/", **account,
        )  # fmt: skip
        self.start()
        self.execute("CREATE DATABASE journal_template")
        Journal(self.url("journal_template")).close()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    def url(self, name: str = "postgres") -> str:
        return f"postgresql://{_USER}:{self._password}@127.0.0.1:{self.port}/{name}"

    def start(self) -> None:
        """Start the server and wait until it answers."""
        with (self._folder / "log").open("ab") as log:
            self._server = subprocess.Popen(
                [_program("postgres"), "-D", str(self._data), "-p", str(self.port),
                 *_options("listen_addresses=127.0.0.1", "unix_socket_directories=",
                           "shared_buffers=64MB", "max_connections=90", "wal_level=minimal",
                           "max_wal_senders=0", "fsync=on")],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/",
                start_new_session=True, **_account(),
                preexec_fn=_stop_with_parent if sys.platform == "linux" else None,
            )  # fmt: skip
        until = time.monotonic() + 60
        while True:
            try:
                self.execute("SELECT 1")
                return
            except psycopg.OperationalError:
                if self._server.poll() is not None or time.monotonic() > until:
                    raise RuntimeError((self._folder / "log").read_text()[-2_000:]) from None
                time.sleep(0.05)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """End the server: SIGINT closes its connections, SIGQUIT is as a crash."""
        self._server.send_signal(how)
        self._server.wait(60)

    def execute(self, statement: str) -> list[Any]:
        """Run one statement outside of a transaction, as the superuser."""
        with psycopg.connect(self.url(), autocommit=True, connect_timeout=5) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    @contextmanager
    def database(self, template: str = "journal_template") -> Iterator[str]:
        """The address of a new database: an empty journal, or with "template0" nothing at all."""
        self._made += 1
        name = f"journal_{self._made}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        try:
            yield self.url(name)
        finally:
            self.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def end_connections(self, url: str) -> None:
        """End every connection to the database at ``url``, as an operator or a failover does."""
        name = url.rpartition("/")[2]
        self.execute(
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
        )


def _program(name: str) -> str:
    found = server_program(name)
    assert found is not None, f"{name} is missing"
    return found


def _options(*settings: str) -> Sequence[str]:
    return [part for setting in settings for part in ("-c", setting)]


def _stop_with_parent() -> None:
    """Linux ends the server when its parent is killed."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGINT)
