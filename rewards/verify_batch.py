"""Whether a saved batch is true: rebuilt from its public lines, and compared with the chain.

Of all that the file says, only the Datanet's name, why a batch is held, and when numbers were
abandoned are the service's own word: nothing signed or on chain holds them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from footnote.addresses import Address, format_address
from footnote.errors import Invalid
from footnote.ids import content_id
from rewards.batch import Batch, Payable, batch_of
from rewards.chain import EvmChain
from rewards.journal.records import Abandoned
from rewards.keys import recover
from rewards.ledger import Ledger
from rewards.policy import Policy, policy_from
from rewards.published import abandoned_object
from rewards.receipt import (
    AnswerReceipt,
    Line,
    abandoned_leaf,
    citations_root,
    line_from_json,
    receipt_from_json,
)
from rewards.verify import Check, line_problem, same_json

FIELDS = {
    "object", "datanet", "datanet_id", "ledger", "batch_id", "first", "last", "receipts_root",
    "digest", "tx_hash", "status", "total", "held", "payouts", "policies", "receipts", "abandoned",
}  # fmt: skip
SIGNED = {"domain", "message", "digest", "signature", "signer", "lines"}
STAGES = ("planned", "nonced", "signed", "sent", "mined", "final")


class _Failed(Exception):
    """What the file says cannot be true."""


@dataclass(frozen=True, slots=True)
class _Signed:
    message: AnswerReceipt
    lines: tuple[Line, ...]
    signer: bytes


@dataclass(frozen=True, slots=True)
class _Parsed:
    ledger: Ledger
    datanet_id: bytes
    policies: dict[bytes, Policy]
    receipts: list[_Signed]
    abandoned: list[Abandoned]


def verify_batch(saved: Mapping[str, Any], chain: EvmChain | None) -> list[Check]:
    """All checks of a saved batch in order. It holds if none of them failed."""
    checks: list[Check] = []
    try:
        parsed = _parse(saved)
        checks.append(Check("the file is a batch", True))
        first, last = saved["first"], saved["last"]
        _check_numbers(parsed, first, last)
        checks.append(Check("its receipts follow each other without a gap", True))
        for signed in parsed.receipts:
            _check_receipt(signed, parsed)
        checks.append(Check("every receipt is signed, and owes what follows from its fee", True))
        batch = batch_of(_payables(parsed, first, last))
        _check_rebuilt(saved, parsed, batch)
        checks.append(Check("root, payouts and ids are those that the receipts make", True))
    except _Failed as error:
        return [*checks, Check("the batch is what its receipts make", False, str(error))]
    except (KeyError, TypeError, ValueError, AttributeError, Invalid, OverflowError) as error:
        return [*checks, Check("the file is a batch", False, str(error))]
    checks.extend(_on_chain(saved, parsed, batch, chain))
    return checks


def _parse(saved: Mapping[str, Any]) -> _Parsed:
    if set(saved) != FIELDS or saved["object"] != "batch":
        raise _Failed("its fields are not those of a batch")
    ledger = Ledger.from_json(saved["ledger"])
    if any(len(account) != 20 for account in (ledger.pool, ledger.registry, ledger.token)):
        raise _Failed("an address of the ledger is none")
    policies = {}
    for name, body in saved["policies"].items():
        policy = policy_from(body)
        if "0x" + content_id(body).hex() != name or not same_json(body, policy.definition.body):
            raise _Failed("a policy is not the one that its id names")
        policies[bytes.fromhex(name[2:])] = policy
    gaps = [
        Abandoned(
            gap["first"], gap["last"], bytes.fromhex(gap["previous"][2:]),
            bytes.fromhex(gap["digest"][2:]), gap["at"],
        )
        for gap in saved["abandoned"]
    ]  # fmt: skip
    written = {"ledger": ledger.as_json(), "abandoned": [abandoned_object(gap) for gap in gaps]}
    if not same_json(written, {name: saved[name] for name in written}):
        raise _Failed("it is not written as Footnote writes batches")
    datanet_id = bytes.fromhex(saved["datanet_id"][2:])
    receipts = [_signed(shown, ledger) for shown in saved["receipts"]]
    return _Parsed(ledger, datanet_id, policies, receipts, gaps)


def _signed(shown: Mapping[str, Any], ledger: Ledger) -> _Signed:
    """One receipt, whole: its signature fits its digest, and its lines their root."""
    message = receipt_from_json(shown["message"])
    lines = tuple(line_from_json(line) for line in shown["lines"])
    domain = ledger.domain
    digest = message.digest(domain)
    signature = bytes.fromhex(str(shown["signature"]).removeprefix("0x"))
    signer = recover(digest, signature)
    if signer is None:
        raise _Failed(f"the signature of receipt {message.seq} is none")
    again = {
        "domain": domain.as_json(),
        "message": message.as_json(),
        "digest": "0x" + digest.hex(),
        "signature": "0x" + signature.hex(),
        "signer": format_address(signer),
        "lines": [line.as_json() for line in lines],
    }
    if set(shown) != SIGNED or not same_json(again, dict(shown)):
        raise _Failed(f"receipt {message.seq} is not what was signed")
    return _Signed(message, lines, signer)


def _check_numbers(parsed: _Parsed, first: int, last: int) -> None:
    """Every number from first to last has a receipt or is abandoned, and each names the one before;
    what the first one names lies in the batch before."""
    gaps = {max(gap.first, first): gap for gap in parsed.abandoned}
    by_seq = {signed.message.seq: signed for signed in parsed.receipts}
    if len(by_seq) != len(parsed.receipts) or len(gaps) != len(parsed.abandoned):
        raise _Failed("a number is there twice")
    if [signed.message.seq for signed in parsed.receipts] != sorted(by_seq):
        raise _Failed("the receipts are not in order")
    seq, previous = first, None
    while seq <= last:
        if seq in gaps:
            gap = gaps.pop(seq)
            if gap.last < gap.first or (previous not in (None, gap.previous) and gap.first == seq):
                raise _Failed(f"the abandoned range {gap.first}..{gap.last} does not fit")
            seq = gap.last + 1
            previous = gap.digest if seq <= last + 1 else None
            continue
        signed = by_seq.pop(seq, None)
        if signed is None:
            raise _Failed(f"receipt {seq} is missing")
        if previous not in (None, signed.message.previous):
            raise _Failed(f"receipt {seq} does not name the one before")
        previous, seq = signed.message.digest(parsed.ledger.domain), seq + 1
    if gaps or by_seq:
        raise _Failed("it holds more than its range")


def _check_receipt(signed: _Signed, parsed: _Parsed) -> None:
    message = signed.message
    if (message.ledger_id, message.datanet_id) != (parsed.ledger.ledger_id, parsed.datanet_id):
        raise _Failed(f"receipt {message.seq} is of another Ledger or Datanet")
    if citations_root(signed.lines) != message.citations_root:
        raise _Failed(f"the lines of receipt {message.seq} are not the signed ones")
    policy = parsed.policies.get(message.policy_id)
    if policy is None:
        raise _Failed(f"the policy of receipt {message.seq} is missing")
    problem = line_problem(signed.lines, message, policy)
    if problem is not None:
        raise _Failed(f"receipt {message.seq}: {problem}")


def _payables(parsed: _Parsed, first: int, last: int) -> list[Payable]:
    found = [
        Payable(
            signed.message.seq, signed.message.leaf, signed.message.issued_at,
            tuple((line.account, line.amount) for line in signed.lines),
        )
        for signed in parsed.receipts
    ]  # fmt: skip
    for gap in parsed.abandoned:
        for seq in range(max(gap.first, first), min(gap.last, last) + 1):
            leaf = abandoned_leaf(parsed.datanet_id, seq)
            found.append(Payable(seq, leaf, gap.at, (), abandoned=True))
    return sorted(found, key=lambda payable: payable.seq)


def _check_rebuilt(saved: Mapping[str, Any], parsed: _Parsed, batch: Batch) -> None:
    ledger = parsed.ledger
    again = {
        "datanet_id": "0x" + parsed.datanet_id.hex(),
        "batch_id": "0x" + batch.batch_id(ledger.chain_id, ledger.pool, parsed.datanet_id).hex(),
        "first": batch.first,
        "last": batch.last,
        "receipts_root": "0x" + batch.receipts_root.hex(),
        "digest": "0x" + batch.digest.hex(),
        "total": str(batch.total),
        "payouts": [
            {"address": format_address(payout.account), "amount": str(payout.amount)}
            for payout in batch.payouts
        ],
    }
    wrong = [name for name, value in again.items() if not same_json(value, saved[name])]
    if wrong:
        raise _Failed(f"{', '.join(wrong)} are not what the receipts make")
    used = {signed.message.policy_id for signed in parsed.receipts}
    if set(parsed.policies) != used:
        raise _Failed("it holds policies that no receipt names")
    if saved["status"] not in STAGES:
        raise _Failed("its status is none")
    settled = saved["status"] in ("mined", "final")
    if (settled and saved["held"] is not None) or (not settled and saved["tx_hash"] is not None):
        raise _Failed("its status does not fit what it says besides")


def _on_chain(
    saved: Mapping[str, Any], parsed: _Parsed, batch: Batch, chain: EvmChain | None
) -> list[Check]:
    names = "the pool holds exactly this batch", "every signer was registered at the time"
    if chain is None:
        return [Check(name, None, "no chain was asked") for name in names]
    ledger = parsed.ledger
    if not chain.confirms(ledger):
        return [Check(names[0], False, "the chain does not hold this ledger")]
    return [
        _pool_check(names[0], saved, parsed, batch, chain),
        _signer_check(names[1], saved, parsed, chain),
    ]


def _pool_check(
    name: str, saved: Mapping[str, Any], parsed: _Parsed, batch: Batch, chain: EvmChain
) -> Check:
    ledger = parsed.ledger
    stored = chain.batch_at(ledger, parsed.datanet_id, batch.first, "latest")
    if saved["status"] not in ("mined", "final"):
        if stored is None:
            return Check(name, None, "not settled yet")
        return Check(name, False, "settled meanwhile; fetch it again")
    if stored is None or (stored.receipts_root, stored.digest, stored.last) != (
        batch.receipts_root, batch.digest, batch.last,
    ):  # fmt: skip
        return Check(name, False, "the chain holds no such batch")
    tx_hash = chain.settlement_tx(ledger, stored.batch_id)
    if tx_hash is None or "0x" + tx_hash.hex() != saved["tx_hash"]:
        return Check(name, False, "another transaction settled it")
    receipt = chain.receipt(tx_hash)
    final = receipt is not None and receipt.block <= chain.finalized()
    if saved["status"] == "final" and not final:
        return Check(name, False, "its transaction is not final")
    return Check(name, True, f"{batch.total} to {len(batch.payouts)} accounts")


def _signer_check(name: str, saved: Mapping[str, Any], parsed: _Parsed, chain: EvmChain) -> Check:
    settled = saved["status"] in ("mined", "final")
    signers = {Address(signed.signer) for signed in parsed.receipts}
    terms = {
        signer: chain.signer_term(parsed.ledger, parsed.datanet_id, signer) for signer in signers
    }
    for signed in parsed.receipts:
        term = terms[Address(signed.signer)]
        if term is None or not term.covers(signed.message.issued_at):
            return Check(name, False, f"receipt {signed.message.seq} is signed by a stranger")
        if term.compromised and not settled:
            return Check(name, False, f"receipt {signed.message.seq} is signed by a revoked key")
    return Check(name, True, f"{len(terms)} signers")
