"""The stack that trials trouble: its processes, its lines to the chain, and what befalls them."""

from __future__ import annotations

import heapq
import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import httpx

from bench.proxy import Line, Proxy
from cli.demo import CHECKOUT
from cli.stack import FOOTNOTE, Stack, address_of, give_coin, redis_path, start_anvil
from rewards.journal.journal import Journal

DATANET = "handbook"
UNLIMITED = 'daily_budget = "none"\ndaily_limit_per_address = "none"\n'


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that goes wrong with ``target``, and how it comes right again."""

    name: str
    target: str
    strike: Callable[[], None]
    mend: Callable[[], None]
    most_seconds: float

    @property
    def kind(self) -> str:
        return self.name.rstrip("0123456789 ")


@dataclass(slots=True)
class Scene:
    """The stack under trial. All processes are started from one thread, and end with it."""

    stack: Stack
    environment: dict[str, str]
    api_port: int
    redis_port: int
    chain_port: int = 0
    lines: list[list[Proxy]] = field(default_factory=list)
    """Of each worker: its lines to the chain."""
    ended: list[str] = field(default_factory=list)
    _down: set[str] = field(default_factory=set)

    @property
    def api(self) -> str:
        return f"http://127.0.0.1:{self.api_port}"

    @property
    def chain(self) -> str:
        return f"http://127.0.0.1:{self.chain_port}"

    def command(self, name: str) -> list[str]:
        """What runs under that name."""
        if name == "api":
            return [*FOOTNOTE, "serve", "--port", str(self.api_port)]
        if name == "redis":
            return [redis_path(), "--port", str(self.redis_port), "--bind", "127.0.0.1", "--save",
                    "", "--appendonly", "no", "--dir", str(self.stack.folder)]  # fmt: skip
        urls = ",".join(proxy.url for proxy in self.lines[int(name.split()[1])])
        return ["env", f"FOOTNOTE_RPC_URL={urls}", *FOOTNOTE, "worker"]

    @property
    def workers(self) -> list[str]:
        return [f"worker {number}" for number in range(len(self.lines))]

    def set_up(self) -> None:
        """A chain with a funded pool, and the Datanet that it pays."""
        stack, folder = self.stack, self.stack.folder
        rpc_url = start_anvil(stack, CHECKOUT)
        self.chain_port = int(rpc_url.rpartition(":")[2])
        self.environment["FOOTNOTE_RPC_URL"] = rpc_url
        self.environment["FOOTNOTE_REDIS_URL"] = f"redis://127.0.0.1:{self.redis_port}/0"
        for name in ("owner", "distributor"):
            give_coin(rpc_url, address_of(folder, name), 10**24)
        policy = folder / "policy.toml"
        policy.write_text(UNLIMITED, "utf-8")
        stack.run(["ingest", DATANET, str(CHECKOUT / "examples" / "handbook")])
        for command in (
            ["policy", DATANET, "--set", str(policy)],
            ["deploy"],
            ["register", DATANET],
            ["fund", DATANET, "100000"],
        ):
            stack.run(command)

    def start_all(self) -> None:
        for name in ("redis", "api", *self.workers):
            self.stack.start(name, self.command(name))
        self.stack.wait_http(f"{self.api}/readyz")

    def faults(self) -> list[Fault]:
        found = [self._kill("api", 1.0), self._kill("redis", 5.0), self._freeze("api", 3.0)]
        found += [self._freeze("redis", 8.0), self._freeze("anvil", 10.0)]
        found += [self._chain("reorganise", "anvil_reorg", 1, [])]
        found += [self._chain("forget transactions", "anvil_dropAllTransactions")]
        found += [self._chain("raise fees", "anvil_setNextBlockBaseFeePerGas", hex(60 * 10**9))]
        for number, (name, proxies) in enumerate(zip(self.workers, self.lines, strict=True)):
            found += [self._kill(name, 2.0), self._freeze(name, 8.0)]
            for place, proxy in enumerate(proxies):
                for line in Line:
                    if line is not Line.WHOLE:
                        found.append(self._cut(f"{number}{place}", proxy, line))
        return found

    def _kill(self, name: str, most_seconds: float) -> Fault:
        def strike() -> None:
            self._down.add(name)
            os.kill(self.stack.pid(name), signal.SIGKILL)

        def mend() -> None:
            self.stack.replace(name, self.command(name))
            self._down.discard(name)

        return Fault(f"kill {name}", name, strike, mend, most_seconds)

    def _freeze(self, name: str, most_seconds: float) -> Fault:
        def signalled(number: signal.Signals) -> Callable[[], None]:
            return lambda: os.kill(self.stack.pid(name), number)

        strike, mend = signalled(signal.SIGSTOP), signalled(signal.SIGCONT)
        return Fault(f"freeze {name}", name, strike, mend, most_seconds)

    def _cut(self, number: str, proxy: Proxy, line: Line) -> Fault:
        return Fault(
            f"line {line.value} {number}",
            f"line {number}",
            lambda: proxy.become(line),
            lambda: proxy.become(Line.WHOLE),
            12.0,
        )

    def _chain(self, name: str, method: str, *parameters: object) -> Fault:
        def strike() -> None:
            body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters}
            reply = httpx.post(self.chain, json=body, timeout=30.0).json()
            if "error" in reply:
                raise RuntimeError(f"{method}: {reply['error']}")

        return Fault(name, "anvil", strike, lambda: None, 0.0)

    def trouble(
        self, faults: list[Fault], seconds: float, every: float, chance: random.Random
    ) -> Counter[str]:
        """Strike at random for so long, then mend everything; returns how often each kind struck.
        Each target has one trouble at a time."""
        struck: Counter[str] = Counter()
        going: list[tuple[float, int, Fault]] = []
        began = time.monotonic()
        following = began + chance.uniform(0, every)
        while (now := time.monotonic()) < began + seconds:
            while going and going[0][0] <= now:
                heapq.heappop(going)[2].mend()
            self._watch()
            busy = {fault.target for _, _, fault in going}
            free = [fault for fault in faults if fault.target not in busy]
            if now >= following and free:
                kind = chance.choice(sorted({fault.kind for fault in free}))
                fault = chance.choice([fault for fault in free if fault.kind == kind])
                _say(f"{now - began:6.1f} s  {fault.name}")
                fault.strike()
                struck[fault.kind] += 1
                until = time.monotonic() + chance.uniform(0, fault.most_seconds)
                heapq.heappush(going, (until, struck.total(), fault))
                following = now + chance.uniform(0, every)
            time.sleep(0.05)
        for _, _, fault in going:
            fault.mend()
        return struck

    def _watch(self) -> None:
        """Note, and start again, what ended without having been killed."""
        for name in ("api", "redis", *self.workers):
            if name not in self._down and _has_ended(self.stack.pid(name)):
                self.ended.append(name)
                self.stack.replace(name, self.command(name))

    def wait_quiet(self, most_seconds: float = 180.0) -> float | None:
        """Seconds until every receipt was final; None if that took too long."""
        began = time.monotonic()
        while time.monotonic() < began + most_seconds:
            self._watch()
            waiting = self._waiting()
            if waiting == 0:
                return round(time.monotonic() - began, 1)
            time.sleep(0.5)
        return None

    def _waiting(self) -> int:
        """How many receipts are not final yet."""
        journal = Journal(f"sqlite:///{self.stack.folder / 'home' / 'journal.sqlite'}")
        try:
            registration = journal.registration(DATANET)
            if registration is None:
                return -1  # the Ledger is held to be lost; a worker finds it again
            ledger_id = registration.ledger.ledger_id
            return journal.next_seq(ledger_id, DATANET) - journal.settled_to(ledger_id, DATANET)
        finally:
            journal.close()


def _has_ended(pid: int) -> bool:
    """Whether a child ended; its status stays to be read."""
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
