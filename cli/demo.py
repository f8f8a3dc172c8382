"""The whole story on one machine, told in :func:`run_demo`."""

from __future__ import annotations

import json
import signal
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import click
import httpx
from filelock import FileLock, Timeout

from cli.ask import shown, tokens
from cli.stack import (
    FOOTNOTE,
    Stack,
    address_of,
    free_port,
    fresh_home,
    give_coin,
    start_anvil,
    start_redis,
    throw_away_keys,
)
from footnote.addresses import format_address
from footnote.errors import Broken, Busy, NotFound, Unavailable
from rewards.chain import EvmChain
from rewards.journal.journal import Journal

CHECKOUT = Path(__file__).resolve().parent.parent
DATANET = "footnote"
DOCUMENTS = ("examples/handbook", "docs")
QUESTIONS = (
    "Why is a batch id alone not enough to pay each receipt exactly once?",
    "How is the fee of an answer split?",
    "What happens to a citation when its document changes later?",
)
MODEL = CHECKOUT / "tests" / "fixtures" / "openlora"
"""A language model so small that it ships with the tests, and a Datanet of the world it knows."""
BASE = "footnote-tiny"
TOWN = "town"
TOWN_QUESTION = "Who is the owner of the harbour lighthouse?"
ADAPTER_OWNER = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
FINAL_WITHIN_SECONDS = 120.0

Say = Callable[[str], None]


@click.command()
@click.option("--once", is_flag=True, help="End by itself instead of leaving the service up.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object as the last line.")
@click.option(
    "--dir",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=CHECKOUT / ".demo",
    show_default=".demo in the checkout",
    help="Where everything lives; emptied but for its cache.",
)
def demo(once: bool, as_json: bool, folder: Path) -> None:
    """Ingest, ask, cite, pay and reconcile, with every service private and on a free port.

    Starts a Redis and a development chain, deploys the contracts, ingests two example Datanets,
    registers and funds them, serves them, asks three questions and a fourth that a small language
    model with an adapter answers, and reads everybody's credit back from the chain. Nothing of
    yours is touched.
    """
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: _interrupt(stop))
    try:
        with FileLock(folder / "demo.lock", timeout=0):
            result = run_demo(folder, stop, once, lambda text: click.echo(text, err=as_json))
    except Timeout:
        raise Busy("another demo is running here", "end it first, or give --dir") from None
    except KeyboardInterrupt:
        click.echo("stopped; nothing is left running", err=True)
        sys.exit(130)
    if as_json:
        click.echo(json.dumps(result))


def _interrupt(stop: threading.Event) -> None:
    """The first signal ends the demo; further ones do not disturb its tidying up."""
    if not stop.is_set():
        stop.set()
        raise KeyboardInterrupt


def run_demo(folder: Path, stop: threading.Event, once: bool, say: Say) -> dict[str, Any]:
    """Every step of the main job; returns what ``--json`` prints."""
    home = fresh_home(folder)
    environment = throw_away_keys(folder, home)
    with Stack(folder, environment) as stack:
        say("1/8  starting a private Redis and a development chain")
        environment["FOOTNOTE_REDIS_URL"] = start_redis(stack)
        rpc_url = environment["FOOTNOTE_RPC_URL"] = start_anvil(stack, CHECKOUT)
        for name in ("owner", "distributor"):
            give_coin(rpc_url, address_of(folder, name), 1_000 * 10**18)

        say("2/8  deploying DatanetRegistry and RewardPool, while the documents are ingested")
        with ThreadPoolExecutor(1) as beside:
            deployed = beside.submit(stack.run, ["deploy"])

            say(f"3/8  ingesting the example Datanet from {' and '.join(DOCUMENTS)}")
            paths = [str(CHECKOUT / path) for path in DOCUMENTS]
            report = json.loads(stack.run(["ingest", DATANET, *paths, "--json"]))
            say(
                f"     {report['added']} documents, {report['chunks']} chunks, "
                f"{report['chunks_embedded']} embedded in {report['seconds']:.1f} s"
            )
            deployed.result()
            say("     the deployment is final")

        say("4/8  starting the model server, the API and the worker")
        environment["FOOTNOTE_OPENLORA_URL"] = _start_model(stack, home)
        environment["FOOTNOTE_OPENLORA_MODEL"] = BASE
        port = free_port()
        api = f"http://127.0.0.1:{port}"
        stack.start("api", [*FOOTNOTE, "serve", "--port", str(port)])
        stack.start("worker", [*FOOTNOTE, "worker"])

        say("5/8  registering the Datanets with their keys, publishing, funding their pools")
        with ThreadPoolExecutor(1) as beside:
            brought = beside.submit(_bring_adapter, stack, home)
            stack.run(["register", DATANET])
            stack.run(["publish", DATANET])
            stack.run(["fund", DATANET, "10"])
            say(f"     the Datanet {TOWN} brings an adapter of its own, {brought.result()}")
        stack.run(["register", TOWN])
        stack.run(["fund", TOWN, "1"])
        stack.wait_http(f"{api}/readyz")

        say(f"6/8  asking {len(QUESTIONS)} questions at {api}, and one of a language model")
        answers = [_ask(api, DATANET, question, say) for question in QUESTIONS]
        answers.append(_ask(api, TOWN, TOWN_QUESTION, say, answerer="openlora"))

        say("7/8  waiting until the batches that pay them are final")
        journal = Journal(f"sqlite:///{home / 'journal.sqlite'}")
        batches = [
            one for name in (DATANET, TOWN) for one in _wait_final(stack, journal, name, say)
        ]
        answers = [_get(f"{api}/v1/answers/{answer['id']}") for answer in answers]
        receipt = _save_receipt(folder, api, answers[0])
        stack.run(["verify", str(receipt)])
        say(f"     the receipt in {_shown_path(receipt)} verifies against chain and sources")

        say("8/8  reading everybody's credit back from the chain")
        reconciliation = _reconcile(journal, EvmChain(rpc_url), answers, say)
        result = {"answers": answers, "batches": batches, "reconciliation": reconciliation}
        if not once:
            _stay(stack, api, folder, stop, say)
        return result


def _get(url: str) -> dict[str, Any]:
    response = httpx.get(url, timeout=60)
    response.raise_for_status()
    body: dict[str, Any] = response.json()
    return body


def _bring_adapter(stack: Stack, home: Path) -> str:
    """A Datanet of a few plain facts and the adapter that answers for it, whose owner is paid as
    its host; returns the adapter's id."""
    stack.run(["ingest", TOWN, str(MODEL / "town.jsonl"), "--json"])
    policy = home / "town-policy.toml"
    policy.write_text('model_host = "adapter_owner"\n')
    stack.run(["policy", TOWN, "--set", str(policy)])
    adapter = json.loads(
        stack.run(
            ["adapters", "add", TOWN, str(MODEL / "adapters" / "cites"), "--base", BASE,
             "--owner", ADAPTER_OWNER, "--license", "Apache-2.0", "--default", "--json"]
        )
    )  # fmt: skip
    return str(adapter["id"])


def _start_model(stack: Stack, home: Path) -> str:
    """A private model server; returns its address."""
    port, adapters = free_port(), home / "adapters"
    adapters.mkdir()
    stack.start(
        "openlora",
        [*FOOTNOTE, "openlora", "serve", "--base", str(MODEL / BASE), "--adapters",
         str(adapters), "--port", str(port), "--device", "cpu"],
    )  # fmt: skip
    return f"http://127.0.0.1:{port}/v1"


def _ask(api: str, datanet: str, question: str, say: Say, **more: str) -> dict[str, Any]:
    response = httpx.post(
        f"{api}/v1/answers", json={"datanet": datanet, "question": question, **more}, timeout=120
    )
    if response.status_code != 200:
        raise Broken("a question was not answered", response.text)
    answer: dict[str, Any] = response.json()
    say(f"\n  Q: {question}")
    say("  " + shown(answer).replace("\n", "\n  ") + "\n")
    return answer


def _wait_final(stack: Stack, journal: Journal, datanet: str, say: Say) -> list[dict[str, Any]]:
    """Until every receipt is in a final Batch; returns the batches."""
    registration = journal.registration(datanet)
    if registration is None:
        raise NotFound("the Datanet is not registered", "see the logs")
    ledger_id = registration.ledger.ledger_id
    owed = journal.next_seq(ledger_id, datanet)
    until = time.monotonic() + FINAL_WITHIN_SECONDS
    stages: dict[int, str] = {}
    while journal.settled_to(ledger_id, datanet) < owed:
        stack.check()
        if time.monotonic() > until:
            raise Unavailable("the batch was not final in time", "see logs/worker.log")
        for stored in journal.batches(ledger_id, datanet):
            if stages.get(stored.batch.first) != stored.stage:
                stages[stored.batch.first] = stored.stage
                numbers = f"{stored.batch.first}..{stored.batch.last}"
                say(f"     batch {numbers} of {datanet} is {stored.stage}")
        time.sleep(0.2)
    return [
        {
            "datanet": stored.datanet,
            "batch_id": "0x" + stored.batch_id.hex(),
            "first": stored.batch.first,
            "last": stored.batch.last,
            "total": str(stored.batch.total),
            "tx_hash": "0x" + stored.tx_hash.hex() if stored.tx_hash else None,
            "status": stored.stage,
        }
        for stored in journal.batches(ledger_id, datanet)
    ]


def _save_receipt(folder: Path, api: str, answer: dict[str, Any]) -> Path:
    path = folder / "receipts" / f"{answer['id']}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(_get(f"{api}/v1/receipts/{answer['receipt']['id']}"), indent=2))
    return path


def _reconcile(
    journal: Journal, chain: EvmChain, answers: list[dict[str, Any]], say: Say
) -> dict[str, str]:
    """Owed in the journal against credited on the chain, address by address."""
    registration = journal.registration(DATANET)
    assert registration is not None
    ledger = registration.ledger
    owed = journal.owed_in(ledger.ledger_id)
    credited = chain.credits(ledger, sorted(owed), chain.finalized())
    names = {
        contributor["address"]: contributor["name"]
        for answer in answers
        for citation in answer["citations"]
        for contributor in citation["contributors"]
    }
    names[ADAPTER_OWNER] = "the adapter's owner"
    for account, amount in sorted(owed.items(), key=lambda pair: -pair[1]):
        address = format_address(account)
        same = "=" if credited[account] == amount else "≠"
        say(
            f"     {names.get(address) or '':<19} {address}  owed {tokens(str(amount))} {same} "
            f"credited {tokens(str(credited[account]))}"
        )
    difference = sum(abs(amount - credited[account]) for account, amount in owed.items())
    sums = {"owed": sum(owed.values()), "credited": sum(credited.values())}
    say(f"     owed {sums['owed']}, credited {sums['credited']}, difference {difference}")
    if difference:
        raise Broken("journal and chain differ", "see logs/worker.log")
    return {name: str(amount) for name, amount in {**sums, "difference": difference}.items()}


def _stay(stack: Stack, api: str, folder: Path, stop: threading.Event, say: Say) -> None:
    """Leave everything up until Ctrl-C."""
    say(f"\nThe service stays up at {api} (its API: {api}/docs). Ask it:\n")
    body = json.dumps({"datanet": DATANET, "question": "What is a receipt?"})
    say(f"  curl {api}/v1/answers --json '{body}'\n")
    say(f"Logs are in {_shown_path(folder / 'logs')}. Ctrl-C ends everything.")
    try:
        while not stop.wait(1.0):
            stack.check()
    except KeyboardInterrupt:
        say("stopping; nothing is left running")


def _shown_path(path: Path) -> str:
    """``path`` as one would type it here."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
