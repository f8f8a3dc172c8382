"""Whether a saved receipt is true: to its own hashes, its signature, its sources and the chain.

Every field of the file is checked against something signed or on chain, so that no byte of it can
change unnoticed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from footnote.addresses import format_address
from footnote.errors import Invalid, NotFound
from footnote.ids import ZERO_HASH, content_id, keccak, sha256
from footnote.merkle import verify_proof
from footnote.model import Span
from footnote.shares import BASIS_POINTS, PPM, split
from rewards.chain import EvmChain
from rewards.keys import recover
from rewards.ledger import Ledger
from rewards.policy import Policy, policy_from
from rewards.receipt import (
    AnswerReceipt,
    Domain,
    Line,
    citations_root,
    line_from_json,
    receipt_from_json,
)

TextOf = Callable[[bytes], str]
"""The text of a Document version; NotFound where it is not at hand."""

FIELDS = {
    "object", "domain", "message", "digest", "signature", "signer", "lines", "policy", "verifier",
    "model", "adapter", "ledger", "batch", "proof",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at. ``passed`` None means it could not be looked at."""

    name: str
    passed: bool | None
    detail: str = ""


class _Failed(Exception):
    """A check failed in such a way that nothing after it makes sense."""


@dataclass(frozen=True, slots=True)
class _Parsed:
    domain: Domain
    message: AnswerReceipt
    lines: tuple[Line, ...]
    ledger: Ledger | None


def verify_receipt(
    saved: Mapping[str, Any], text_of: TextOf, chain: EvmChain | None
) -> list[Check]:
    """All checks of a saved receipt in order. It holds if none of them failed."""
    checks: list[Check] = []
    try:
        parsed = _parse(saved)
    except (KeyError, TypeError, ValueError, AttributeError, _Failed) as error:
        return [Check("the file is a receipt", False, str(error))]
    checks.append(Check("the file is a receipt", True))
    checks.append(_digest(saved, parsed))
    checks.append(_definitions(saved, parsed.message))
    checks.append(_lines(parsed, saved))
    checks.extend(_spans(parsed.lines, text_of))
    ledger = _ledger(parsed, chain)
    checks.append(ledger)
    asked = None if ledger.passed is False else chain
    checks.append(_signature(saved, parsed, asked))
    checks.append(_proof(saved, parsed, asked))
    return checks


def _parse(saved: Mapping[str, Any]) -> _Parsed:
    """The receipt in the file; it must be written exactly as Footnote writes it."""
    if set(saved) != FIELDS or saved["object"] != "receipt":
        raise _Failed("its fields are not those of a receipt")
    shown_domain = saved["domain"]
    domain = Domain(
        int(shown_domain["chainId"]),
        type(Domain().pool)(bytes.fromhex(shown_domain["verifyingContract"][2:])),
    )
    message = receipt_from_json(saved["message"])
    lines = tuple(line_from_json(line) for line in saved["lines"])
    ledger = Ledger.from_json(saved["ledger"]) if saved["ledger"] is not None else None
    again = {
        "domain": domain.as_json(),
        "message": message.as_json(),
        "lines": [line.as_json() for line in lines],
        "ledger": ledger.as_json() if ledger else None,
    }
    if not same_json(again, {name: saved[name] for name in again}):
        raise _Failed("it is not written as Footnote writes receipts")
    # What does not fit its Solidity type raises here, and not in the middle of a check.
    _ = message.digest(domain), citations_root(lines), ledger.ledger_id if ledger else None
    return _Parsed(domain, message, lines, ledger)


def same_json(one: object, other: object) -> bool:
    """Equal as JSON: to Python, 0, 0.0 and False are equal."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def _digest(saved: Mapping[str, Any], parsed: _Parsed) -> Check:
    digest = "0x" + parsed.message.digest(parsed.domain).hex()
    return Check("the digest is that of the message", digest == saved["digest"])


def _definitions(saved: Mapping[str, Any], message: AnswerReceipt) -> Check:
    """Policy, verifier, model and adapter are those whose hashes were signed."""
    expected = {
        "policy": message.policy_id,
        "verifier": message.verifier_id,
        "model": message.model_id,
    }
    if saved["adapter"] is not None or message.adapter_id != ZERO_HASH:
        expected["adapter"] = message.adapter_id
    wrong = [
        name
        for name, definition_id in expected.items()
        if not isinstance(saved[name], Mapping) or content_id(saved[name]) != definition_id
    ]
    return Check("policy, verifier and model are the signed ones", not wrong, ", ".join(wrong))


def _lines(parsed: _Parsed, saved: Mapping[str, Any]) -> Check:
    name = "the lines are the signed ones and follow from fee, weights and shares"
    message, lines = parsed.message, parsed.lines
    if citations_root(lines) != message.citations_root:
        return Check(name, False, "they do not hash to the signed root")
    try:
        policy = policy_from(saved["policy"])
        problem = line_problem(lines, message, policy, saved["adapter"])
    except (Invalid, AttributeError, TypeError, ValueError) as error:
        return Check(name, False, f"the policy or adapter cannot be read ({error})")
    return Check(name, problem is None, problem or f"{len(lines)} lines")


def line_problem(
    lines: Sequence[Line],
    message: AnswerReceipt,
    policy: Policy,
    adapter: Mapping[str, Any] | None,
) -> str | None:
    """What the root does not cover, recomputed: ids, shares, parts, and every amount.

    ``adapter`` is the definition that ``message.adapter_id`` names.
    """
    data = [line for line in lines if line.part == "data"]
    named = lines[len(data) :]
    if list(lines[: len(data)]) != data:
        return "contributor lines must come first"
    groups = [list(group) for _, group in groupby(data, key=lambda line: line.citation_id)]
    for number, group in enumerate(groups, start=1):
        if group[0].citation_id != f"cit_{number}":
            return "citations are not numbered in order"
        if sum(line.share_bps for line in group) != BASIS_POINTS:
            return f"the shares of cit_{number} do not sum to {BASIS_POINTS}"
        if (
            len({(x.document_hash, x.version_hash, x.start, x.end, x.weight_ppm) for x in group})
            > 1
        ):
            return f"the lines of cit_{number} do not name one span"
    if sum(group[0].weight_ppm for group in groups) not in (0, PPM):
        return f"weights do not sum to {PPM}"
    for line in data:
        if line.document_id is None or keccak(line.document_id.encode()) != line.document_hash:
            return "a document's id does not match its hash"
    if sum(line.amount for line in data) != message.data_pool:
        return "the contributors' amounts do not sum to the signed pool"
    return _amount_problem(data, named, message, policy, adapter)


def _amount_problem(
    data: Sequence[Line],
    named: Sequence[Line],
    message: AnswerReceipt,
    policy: Policy,
    adapter: Mapping[str, Any] | None,
) -> str | None:
    parts = policy.parts(message.fee)
    positions = {line.citation_id: i for i, line in enumerate(data)}
    order = sorted(
        range(len(data)), key=lambda i: (data[i].account, positions[data[i].citation_id])
    )
    amounts = split(parts.data, [data[i].weight_ppm * data[i].share_bps for i in order])
    expected = dict(zip(order, amounts, strict=True))
    for i, line in enumerate(data):
        if not _as_owed(line, expected[i]):
            return f"an amount of {line.citation_id} does not follow from the fee"
    wanted = policy.named(adapter)
    if named and [(line.part, line.account) for line in named] != wanted:
        return "the named parts are not those of the policy and the adapter"
    for line in named:
        plain = line.citation_id is None and line.document_id is None and line.share_bps == 0
        if not plain or not _as_owed(line, getattr(parts, line.part)):
            return f"the part of {line.part} does not follow from the fee"
    return None


def _as_owed(line: Line, expected: int) -> bool:
    """The amount in full, or withheld whole."""
    if line.withheld:
        return line.amount == 0 and expected > 0
    return line.amount == expected


def _spans(lines: Sequence[Line], text_of: TextOf) -> list[Check]:
    """Every cited span, cut out of its source again and hashed again."""
    checks = []
    cited = {line.citation_id: line for line in lines if line.part == "data"}
    for line in cited.values():
        name = f"{line.citation_id} stands in {line.document_id} at {line.start}..{line.end}"
        try:
            text = text_of(line.version_hash)
        except NotFound:
            checks.append(Check(name, None, "the source is not at hand"))
            continue
        same_source = sha256(text.encode("utf-8")) == line.version_hash
        quote = Span(line.start, line.end).of(text)
        same_quote = sha256(quote.encode("utf-8")) == line.cited_text_hash
        checks.append(Check(name, same_source and same_quote))
    return checks


def _ledger(parsed: _Parsed, chain: EvmChain | None) -> Check:
    name = "the ledger is the signed one"
    ledger, message = parsed.ledger, parsed.message
    if ledger is None:
        return Check(name, message.ledger_id == ZERO_HASH, "no chain: nothing is owed")
    if ledger.ledger_id != message.ledger_id or ledger.domain != parsed.domain:
        return Check(name, False)
    if chain is None:
        return Check(name, None, "no chain was asked")
    return Check(name, chain.confirms(ledger), "as the chain has it")


def _signature(saved: Mapping[str, Any], parsed: _Parsed, chain: EvmChain | None) -> Check:
    name = "the signature is that of a registered signer"
    if parsed.ledger is None:
        unsigned = saved["signature"] is None and saved["signer"] is None
        return Check(name, unsigned, "unsigned, since no chain pays")
    try:
        signature = bytes.fromhex(str(saved["signature"]).removeprefix("0x"))
    except ValueError:
        return Check(name, False, "the signature cannot be read")
    signer = recover(parsed.message.digest(parsed.domain), signature)
    written = "0x" + signature.hex() == saved["signature"]
    if signer is None or not written or format_address(signer) != saved["signer"]:
        return Check(name, False, "the signature is not that of the signer named")
    if chain is None:
        return Check(name, None, "signed, but no chain was asked who may sign")
    if not chain.is_ledger(parsed.ledger):
        return Check(name, False, "the chain does not hold this ledger")
    term = chain.signer_term(parsed.ledger, parsed.message.datanet_id, signer)
    # What a compromised key signed is believed only if it was settled; its batch is checked next.
    settled = saved["batch"] is not None
    good = (
        term is not None
        and term.covers(parsed.message.issued_at)
        and (settled or not term.compromised)
    )
    return Check(name, good, format_address(signer))


def _proof(saved: Mapping[str, Any], parsed: _Parsed, chain: EvmChain | None) -> Check:
    name = "the batch that pays it holds it"
    shown, ledger, message = saved["batch"], parsed.ledger, parsed.message
    if shown is None or saved["proof"] is None:
        return _pending(name, saved, parsed, chain)
    if ledger is None:
        return Check(name, False, "a batch without a ledger")
    try:
        root, digest, batch_id, tx_hash = (
            bytes.fromhex(shown[field][2:])
            for field in ("receipts_root", "digest", "batch_id", "tx_hash")
        )
        proof = [bytes.fromhex(node[2:]) for node in saved["proof"]]
        first, last, status = int(shown["first"]), int(shown["last"]), shown["status"]
    except (KeyError, TypeError, ValueError):
        return Check(name, False, "the batch cannot be read")
    again = {
        "batch_id": "0x" + batch_id.hex(), "first": first, "last": last,
        "receipts_root": "0x" + root.hex(), "digest": "0x" + digest.hex(),
        "tx_hash": "0x" + tx_hash.hex(), "status": status,
    }  # fmt: skip
    if not same_json([again, ["0x" + node.hex() for node in proof]], [shown, saved["proof"]]):
        return Check(name, False, "it is not written as Footnote writes batches")
    if not first <= message.seq <= last:
        return Check(name, False, "the batch does not reach this receipt")
    if not verify_proof(message.leaf, proof, root, last - first + 1):
        return Check(name, False, "the proof does not lead to the root")
    if chain is None:
        return Check(name, None, "proved, but no chain was asked for the root")
    return _on_chain(name, chain, ledger, message, batch_id, root, digest, tx_hash, proof, again)


def _pending(name: str, saved: Mapping[str, Any], parsed: _Parsed, chain: EvmChain | None) -> Check:
    """A receipt without a batch: right only while the cursor has not passed it."""
    ledger, message = parsed.ledger, parsed.message
    if saved["batch"] is not None or saved["proof"] is not None:
        return Check(name, False, "batch and proof belong together")
    if ledger is None:
        return Check(name, True, "nothing is owed")
    if chain is None:
        return Check(name, None, "not in a batch yet, and no chain was asked")
    if not chain.is_ledger(ledger):
        return Check(name, False, "the chain does not hold this ledger")
    settled = chain.cursor(ledger, message.datanet_id, "latest") > message.seq
    return Check(name, not settled, "settled meanwhile; fetch it again" if settled else "pending")


def _on_chain(
    name: str,
    chain: EvmChain,
    ledger: Ledger,
    message: AnswerReceipt,
    batch_id: bytes,
    root: bytes,
    digest: bytes,
    tx_hash: bytes,
    proof: Sequence[bytes],
    shown: Mapping[str, Any],
) -> Check:
    if not chain.is_ledger(ledger):
        return Check(name, False, "the chain does not hold this ledger")
    stored = chain.batch(ledger, batch_id, "latest")
    same = (stored.receipts_root, stored.digest, stored.first, stored.last) == (
        root, digest, shown["first"], shown["last"],
    )  # fmt: skip
    if not same:
        return Check(name, False, "the chain holds no such batch")
    if not chain.verify_receipt(ledger, batch_id, message.leaf, proof):
        return Check(name, False, "the pool does not confirm it")
    if chain.settlement_tx(ledger, batch_id) != tx_hash:
        return Check(name, False, "another transaction settled it")
    if shown["status"] not in ("mined", "final"):
        return Check(name, False, "an unknown status")
    receipt = chain.receipt(tx_hash)
    final = receipt is not None and receipt.block <= chain.finalized()
    if shown["status"] == "final" and not final:
        return Check(name, False, "its transaction is not final")
    return Check(name, True, f"in batch {shown['first']}..{shown['last']}")
