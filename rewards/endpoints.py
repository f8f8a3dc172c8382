"""Several JSON-RPC endpoints as one. Any of them may be away, behind, of another chain, or lie.

Every few seconds all are looked at: chain, newest block, newest final block. One that is of another
chain, far from the others' newest block, or contradicts what was final is not chosen for a while,
with the reason logged; of the rest the one with the newest block answers. Three rules hold besides:

- no head below one that was seen is acted on, until all stayed below it for a while;
- what is read at a numbered block is asked of all that answer, and more than half of them must know
  the block and say the same: one that is not chosen still has its voice;
- a signed transaction is given to all of them.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import requests

from footnote.errors import Misconfigured, Unavailable
from footnote.recursion import bound_recursion

log = logging.getLogger(__name__)

LOOK_SECONDS = 2.0
MAX_LAG_BLOCKS = 3
AWAY_SECONDS, STALE_SECONDS, WRONG_SECONDS = 10.0, 30.0, 300.0
"""How long an endpoint is left out: that does not answer, is behind, contradicts the others."""

PATIENCE_SECONDS = 20.0
"""For how long all may be behind a head that was seen, before it is forgotten."""

_AT_A_BLOCK = {"eth_call": 1, "eth_getTransactionCount": 1, "eth_getBlockByNumber": 0}
"""Methods whose answer never changes at a numbered block, and which parameter names it."""

Transport = Callable[[str, bytes], bytes]
"""Posts a body to a URL; raises ``requests.RequestException``."""


@dataclass(frozen=True, slots=True)
class Block:
    number: int
    hash: str


@dataclass(frozen=True, slots=True)
class View:
    """What one endpoint shows of its chain. ``final`` is None where it has no such tag."""

    chain: tuple[int, str]
    head: Block
    final: Block | None


@dataclass(slots=True)
class _Endpoint:
    url: str
    left_out_until: float = 0.0
    mute_until: float = 0.0
    reason: str = ""
    genesis: str | None = None


@dataclass(slots=True)
class Endpoints:
    """See the module. Safe to use from several threads."""

    urls: Sequence[str]
    transport: Transport
    clock: Callable[[], float] = time.monotonic
    _all: list[_Endpoint] = field(init=False)
    _chosen: _Endpoint | None = None
    _looked_at: float = -LOOK_SECONDS
    _chain: tuple[int, str] | None = None
    _highest: int = 0
    _highest_at: float = 0.0
    _final: Block | None = None
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def __post_init__(self) -> None:
        self._all = [_Endpoint(url) for url in self.urls]

    def ask(self, method: str, parameters: Any, body: bytes) -> bytes:
        """The answer to a JSON-RPC request.

        Args:
            body: the encoded request, whose method and parameters are given besides.

        Raises:
            Unavailable: no endpoint can be believed now.
            requests.RequestException: none answers.
        """
        chosen = self._choose()
        if len(self._all) == 1:
            return self._post(chosen, body)
        if method == "eth_sendRawTransaction":
            return self._tell_all(body)
        if _is_at_a_block(method, parameters):
            return self._agreed(chosen, body)
        return self._first(chosen, body)

    def left_out(self) -> dict[str, str]:
        """The endpoints that are not used now, and why."""
        now = self.clock()
        return {one.url: one.reason for one in self._all if one.left_out_until > now}

    # Asking

    def _post(self, endpoint: _Endpoint, body: bytes) -> bytes:
        try:
            answer = self.transport(endpoint.url, body)
            _check_form(answer)
            return answer
        except requests.RequestException as error:
            reason = f"does not answer ({type(error).__name__})"
            self._leave_out(endpoint, AWAY_SECONDS, reason, mute=True)
            raise

    def _usable(self) -> list[_Endpoint]:
        now = self.clock()
        return [one for one in self._all if one.left_out_until <= now]

    def _voices(self) -> list[_Endpoint]:
        """All but those that are away or of another chain."""
        now = self.clock()
        return [one for one in self._all if one.mute_until <= now]

    def _first(self, chosen: _Endpoint, body: bytes) -> bytes:
        try:
            return self._post(chosen, body)
        except requests.RequestException:
            return self._post(self._choose(), body)

    def _tell_all(self, body: bytes) -> bytes:
        """The first that accepts speaks for all; else the last that refused."""
        answer, failure = None, None
        for endpoint in self._voices():
            try:
                said = self._post(endpoint, body)
            except requests.RequestException as error:
                failure = error
                continue
            if answer is None or "error" in json.loads(answer):
                answer = said
        if answer is None:
            raise failure or Unavailable("no RPC endpoint is usable", "see the log")
        return answer

    def _agreed(self, chosen: _Endpoint, body: bytes) -> bytes:
        """What more than half of the endpoints say; one that does not know the block says
        nothing."""
        said: dict[str, tuple[str, bytes]] = {}
        failure: Exception | None = None
        for endpoint in [chosen, *(one for one in self._voices() if one is not chosen)]:
            try:
                answer = self._post(endpoint, body)
            except requests.RequestException as error:
                failure = error
                continue
            shown = json.loads(answer)
            known = shown.get("result") is not None or _reverted(shown)
            said[endpoint.url] = (_essence(shown) if known else "", answer)
        if not said:
            raise failure or Unavailable("no RPC endpoint is usable", "see the log")
        known_by = {url: essence for url, (essence, _) in said.items() if essence}
        if not known_by:
            return next(iter(said.values()))[1]
        (most, count), *_ = Counter(known_by.values()).most_common(1)
        if 2 * count <= len(said):
            raise _disagreement(list(said))
        for endpoint in self._all:
            if known_by.get(endpoint.url, most) != most:
                self._leave_out(endpoint, WRONG_SECONDS, "contradicts the others at a final block")
        return next(answer for essence, answer in said.values() if essence == most)

    # Choosing

    def _choose(self) -> _Endpoint:
        with self._lock:
            now = self.clock()
            fresh = now - self._looked_at < LOOK_SECONDS
            if self._chosen is not None and fresh and self._chosen.left_out_until <= now:
                return self._chosen
            views = self._look()
            self._looked_at = now
            self._chosen = self._best(views)
            return self._chosen

    def _look(self) -> list[tuple[_Endpoint, View]]:
        """What each endpoint shows that answers; of all, where all are left out."""
        found, failure = [], None
        for endpoint in self._voices() or self._all:
            try:
                found.append((endpoint, self._view(endpoint)))
            except requests.RequestException as error:
                failure = error
            except (ValueError, KeyError, TypeError) as error:
                self._leave_out(endpoint, AWAY_SECONDS, f"answers oddly ({type(error).__name__})")
        if not found:
            raise failure or Unavailable("no RPC endpoint answers sensibly", "see the log")
        return found

    def _best(self, views: list[tuple[_Endpoint, View]]) -> _Endpoint:
        views = self._of_one_chain(views)
        if len(self._all) > 1:
            views = self._of_one_history(views)
        heads = sorted((view.head.number for _, view in views), reverse=True)
        # the newest that more than half have about reached: of three, one that runs ahead is alone
        middle = heads[(len(heads) - 1) // 2] + MAX_LAG_BLOCKS
        best = max(head for head in heads if head <= middle)
        self._rise(best)
        for endpoint, view in views:
            away = view.head.number - best
            if away > MAX_LAG_BLOCKS:
                self._leave_out(endpoint, STALE_SECONDS, f"is {away} blocks ahead of the others")
            elif away < -MAX_LAG_BLOCKS:
                self._leave_out(endpoint, STALE_SECONDS, f"is {-away} blocks behind")
        finals = [view.final for _, view in views if view.final is not None]
        if finals:
            self._final = min(finals, key=lambda block: block.number)
        return next(endpoint for endpoint, view in views if view.head.number == best)

    def _of_one_chain(self, views: list[tuple[_Endpoint, View]]) -> list[tuple[_Endpoint, View]]:
        """Those of the chain that was seen first; where none is, of that which most are of."""
        counted = Counter(view.chain for _, view in views)
        if self._chain not in counted:
            chain, count = counted.most_common(1)[0]
            if len(self._all) > 1 and (self._chain is not None or 2 * count <= len(views)):
                raise Unavailable(
                    "the RPC endpoints that answer are of another chain, or of several",
                    "check FOOTNOTE_RPC_URL; after a chain was reset start again",
                )
            self._chain = chain
            self._highest, self._final = 0, None
        for endpoint, view in views:
            if view.chain != self._chain:
                reason = f"is another chain ({view.chain[0]})"
                self._leave_out(endpoint, WRONG_SECONDS, reason, mute=True)
        return [(endpoint, view) for endpoint, view in views if view.chain == self._chain]

    def _of_one_history(self, views: list[tuple[_Endpoint, View]]) -> list[tuple[_Endpoint, View]]:
        """Those that agree on a final block: on the one known before, or the newest they share."""
        finals = [view.final for _, view in views if view.final is not None]
        if not finals:
            return views
        known = self._final or min(finals, key=lambda block: block.number)
        hashes: dict[str, str] = {}
        for endpoint, view in views:
            if view.head.number >= known.number:
                block = self._call(endpoint, "eth_getBlockByNumber", hex(known.number), False)
                hashes[endpoint.url] = str(block["hash"]) if block else ""
        counted = Counter(hashes.values())
        if len(counted) <= 1:
            return views
        truth = known.hash if self._final is not None and known.hash in counted else None
        if truth is None:
            truth, count = counted.most_common(1)[0]
            if 2 * count <= len(hashes):
                raise _disagreement(list(hashes))
        for endpoint, _ in views:
            if hashes.get(endpoint.url, truth) != truth:
                self._leave_out(endpoint, WRONG_SECONDS, "contradicts what was final")
        return [
            (endpoint, view) for endpoint, view in views if hashes.get(endpoint.url, truth) == truth
        ]

    def _rise(self, head: int) -> None:
        """Raises Unavailable where ``head`` is below one that was seen a short time ago."""
        now = self.clock()
        if head >= self._highest:
            self._highest, self._highest_at = head, now
        elif now - self._highest_at < PATIENCE_SECONDS:
            raise Unavailable(
                f"the chain's newest block is {head}, and {self._highest} was seen already",
                "another node may be ahead",
            )
        else:
            log.warning("the chain's newest block fell from %d to %d", self._highest, head)
            self._highest, self._highest_at = head, now

    def _view(self, endpoint: _Endpoint) -> View:
        if endpoint.genesis is None or len(self._all) == 1:
            endpoint.genesis = str(
                self._call(endpoint, "eth_getBlockByNumber", "0x0", False)["hash"]
            )
        chain_id = int(self._call(endpoint, "eth_chainId"), 16)
        head = self._call(endpoint, "eth_getBlockByNumber", "latest", False)
        final = None
        if len(self._all) > 1:
            final = self._call(endpoint, "eth_getBlockByNumber", "finalized", False)
        return View((chain_id, endpoint.genesis), _block(head), _block(final) if final else None)

    def _call(self, endpoint: _Endpoint, method: str, *parameters: object) -> Any:
        """None where the node answers with an error."""
        request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters}
        return json.loads(self._post(endpoint, json.dumps(request).encode())).get("result")

    def _leave_out(
        self, endpoint: _Endpoint, seconds: float, reason: str, *, mute: bool = False
    ) -> None:
        """Do not choose it for a while; ``mute``: nor ask it anything."""
        if len(self._all) > 1 and endpoint.reason != reason:
            log.warning("RPC endpoint %s is left out: it %s", _host(endpoint.url), reason)
        endpoint.left_out_until, endpoint.reason = self.clock() + seconds, reason
        if mute:
            endpoint.mute_until = endpoint.left_out_until
        endpoint.genesis = None


def _check_form(answer: bytes) -> None:
    """Raise unless it is an answer of JSON-RPC: a page or a plain word is none."""
    bound_recursion()
    try:
        shown = json.loads(answer)
    except (ValueError, RecursionError) as error:
        raise requests.exceptions.InvalidJSONError("no JSON") from error
    if not isinstance(shown, dict) or not (
        "result" in shown or isinstance(shown.get("error"), dict)
    ):
        raise requests.exceptions.InvalidJSONError("no answer of JSON-RPC")


def http_transport(timeout_seconds: float) -> Transport:
    """Posts over HTTP with kept connections."""
    session = requests.Session()

    def post(url: str, body: bytes) -> bytes:
        answer = session.post(
            url,
            data=body,
            headers={"Content-Type": "application/json"},
            timeout=timeout_seconds,
        )
        answer.raise_for_status()
        return answer.content

    return post


def urls_of(setting: str) -> list[str]:
    """The addresses in FOOTNOTE_RPC_URL, separated by commas."""
    urls = [part.strip() for part in setting.split(",") if part.strip()]
    if not urls or any(not url.startswith(("http://", "https://")) for url in urls):
        raise Misconfigured(
            "FOOTNOTE_RPC_URL is no address", "give http(s)://…, or several with commas"
        )
    return list(dict.fromkeys(urls))


def _block(shown: Any) -> Block:
    return Block(int(shown["number"], 16), str(shown["hash"]))


def _is_at_a_block(method: str, parameters: Any) -> bool:
    place = _AT_A_BLOCK.get(method)
    if place is None or len(parameters) <= place:
        return False
    return str(parameters[place]).startswith("0x")


def _reverted(shown: Any) -> bool:
    """Whether a call was executed and refused, which is an answer like any other."""
    error = shown.get("error") or {}
    return error.get("code") == 3 or "revert" in str(error.get("message", ""))


def _essence(shown: Any) -> str:
    """An answer without what may differ between nodes that agree."""
    result = shown.get("result")
    if isinstance(result, dict):
        result = result.get("hash")
    return json.dumps([result, _reverted(shown)])


def _disagreement(urls: list[str]) -> Unavailable:
    names = ", ".join(_host(url) for url in urls)
    return Unavailable(
        f"the RPC endpoints {names} contradict each other about final blocks",
        "take out of FOOTNOTE_RPC_URL the one that is wrong",
    )


def _host(url: str) -> str:
    """An address without its path and user, which may hold a key."""
    return url.split("://", 1)[-1].split("/", 1)[0].rsplit("@", 1)[-1]
