"""A service with everything that the page shows: the handbook as a paid Datanet, near-duplicates,
answers that were settled and one that waits, an audit, and a wallet on the same chain."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import BrowserContext

from api.app import build_services
from footnote.settings import Settings
from indexer.admission import Defaults
from indexer.ingest import Indexer
from indexer.readers.files import find_files
from rag.index.datanets import datanet_folder
from rag.models.embedder import SentenceTransformerEmbedder
from rewards.audit import audit
from rewards.queue import Polling
from rewards.record import Recorder
from rewards.worker import Worker
from tests.conftest import CHECKOUT, rpc
from tests.e2e.test_api import Service, serving
from tests.money import Place, Pool, deployed, place

DATANET = "handbook"
QUESTION = "Why is a batch id alone not enough to pay each receipt exactly once?"
NEXT_QUESTION = "How is the fee of an answer split?"
MORE_QUESTIONS = ("What is a Merkle proof?", "What happens to a refusal?")
COPY = "shares-again.md"
BY_ANOTHER = "contributors:\n  - address: '0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359'\n"

WALLET = """
window.ethereum = {
  request: async ({ method, params }) => {
    const asked = JSON.stringify({ method, params: params ?? [] });
    const said = JSON.parse(await window.askWallet(asked));
    if (said.error) throw new Error(said.error.message);
    return said.result;
  },
};
"""
"""EIP-1193, as a browser's extension injects it."""


@dataclass(frozen=True)
class Stage:
    service: Service
    at: Place
    answer: dict[str, Any]
    """Whose batch is final."""
    waiting: dict[str, Any]

    @property
    def evidence(self) -> str:
        """The address of its first citation."""
        return f"/evidence/{self.answer['id']}/cit_1"

    @property
    def contributor(self) -> str:
        """Who earned with the first citation."""
        address: str = self.answer["citations"][0]["contributors"][0]["address"]
        return address

    def wallet(self, context: BrowserContext, account: str | None = None) -> None:
        """Give the browser a wallet at ``account``, by default the contributor's."""
        owner = account or self.contributor

        def asked(text: str) -> str:
            sent = json.loads(text)
            if sent["method"] == "eth_requestAccounts":
                return json.dumps({"result": [owner.lower()]})
            if sent["method"] == "eth_sendTransaction":
                rpc(self.at.pool.url, "anvil_impersonateAccount", owner)
            body = {"jsonrpc": "2.0", "id": 1, **sent}
            said = httpx.post(self.at.pool.url, json=body, timeout=10).json()
            return json.dumps({name: said[name] for name in ("result", "error") if name in said})

        context.expose_function("askWallet", asked)
        context.add_init_script(WALLET)


@contextmanager
def staged(
    home: Path, embedder: SentenceTransformerEmbedder, pool: Pool, **more: Any
) -> Iterator[Stage]:
    """Everything, in ``home``; ``more`` are settings."""
    ingest_handbook(home, embedder)
    paid = home / "paid"
    paid.mkdir()
    at = place(deployed(pool.url, pool.chain), paid, datanet=DATANET)
    settings = Settings(home=home, journal_url=f"sqlite:///{paid / 'journal.sqlite'}", **more)
    services = build_services(settings, embedder)
    signing = replace(services, recorder=Recorder(services.journal, at.signer))
    for service in serving(signing):
        answer = asked(service, QUESTION)
        for question in MORE_QUESTIONS:
            asked(service, question)
        Worker(at.settler(), Polling(), 0.1).pass_once()
        rpc(pool.url, "anvil_mine", "0x2")
        found = audit(at.journal, pool.chain, lambda said: None)
        at.journal.note_audit(None, found.as_json(), int(time.time()))
        yield Stage(service, at, answer, asked(service, NEXT_QUESTION))


def ingest_handbook(home: Path, embedder: SentenceTransformerEmbedder) -> None:
    """Our own handbook, and a copy of one page by somebody else."""
    source = CHECKOUT / "examples" / "handbook"
    indexer = Indexer(datanet_folder(home, DATANET), home / "cache.sqlite", embedder, 5_000_000)
    assert indexer.ingest(find_files([source]), Defaults()).refused == []
    copied = (source / "shares.md").read_text("utf-8")
    again = home / COPY
    body = copied.split("---", 2)[2]
    again.write_text(f'---\ntitle: "Shares, told again"\n{BY_ANOTHER}---\n{body}', "utf-8")
    indexer.ingest(find_files([again]), Defaults((), "CC0-1.0"))


def asked(service: Service, question: str) -> dict[str, Any]:
    body = {"datanet": DATANET, "question": question}
    response = service.post("/v1/answers", body)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    assert answer["citations"], answer["text"]
    return answer
