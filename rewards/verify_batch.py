"""Whether a saved batch is true: rebuilt from its public lines, and compared with the chain.

Three values have nothing signed or on chain behind them, only the file's checksum: the Datanet's
name, why a batch is held, and when numbers were abandoned. What links a batch to its neighbours
shows in those: what its first receipt or range names as previous, how far beyond it an abandoned
range reaches, and the digest of a range at its end.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from footnote.addresses import Address, format_address
from footnote.errors import Invalid
from footnote.ids import ZERO_HASH, content_id
from rewards.batch import MAX_RECEIPTS, Batch, Payable, batch_of
from rewards.chain import EvmChain
from rewards.journal.records import Abandoned
from rewards.keys import recover
from rewards.ledger import Ledger
from rewards.policy import ADAPTER_OWNER, Policy, policy_from
from rewards.published import abandoned_object, checksum
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
    "digest", "tx_hash", "status", "total", "held", "payouts", "policies", "adapters",
    "receipts", "abandoned", "checksum",
}  # fmt: skip
SIGNED = {"domain", "message", "digest", "signature", "signer", "lines"}
GAP = {"first", "last", "previous", "digest", "at"}
WAITING, SETTLED = ("planned", "nonced", "signed", "sent"), ("mined", "final")

_STRING_OR_SPACE = re.compile(r'("[^"\\]*(?:\\.[^"\\]*)*")|[ \t\r\n]+', re.DOTALL)


class _Failed(Exception):
    """What the file says cannot be true."""


@dataclass(frozen=True, slots=True)
class _Signed:
    message: AnswerReceipt
    digest: bytes
    lines: tuple[Line, ...]
    signer: Address


@dataclass(frozen=True, slots=True)
class _Parsed:
    """What the file says. A Policy or an adapter is None where the service has lost it."""

    ledger: Ledger
    datanet_id: bytes
    first: int
    last: int
    policies: dict[bytes, Policy | None]
    adapters: dict[bytes, Mapping[str, Any] | None]
    receipts: list[_Signed]
    abandoned: list[Abandoned]


def is_plain(text: str, saved: object) -> bool:
    """Whether ``text`` is ``saved`` as Footnote writes JSON: in no other spelling of a number or a
    character, so that only space between tokens can differ."""
    without_space = _STRING_OR_SPACE.sub(lambda found: found.group(1) or "", text)
    return any(
        without_space == json.dumps(saved, separators=(",", ":"), ensure_ascii=ascii_only)
        for ascii_only in (False, True)
    )


def verify_batch(saved: Mapping[str, Any], chain: EvmChain | None) -> list[Check]:
    """All checks of a saved batch in order. It holds if none of them failed."""
    checks: list[Check] = []
    try:
        parsed = _parse(saved)
        checks.append(Check("the file is a batch, and whole", True))
        _check_numbers(parsed)
        checks.append(Check("its receipts follow each other without a gap", True, _counted(parsed)))
        for signed in parsed.receipts:
            _check_receipt(signed, parsed)
        checks.append(Check("every receipt is signed, and its lines are the signed ones", True))
        checks.append(_amounts(parsed))
        batch = batch_of(_payables(parsed))
        _check_rebuilt(saved, parsed, batch)
        checks.append(Check("root, payouts, total and ids follow from the receipts", True))
    except _Failed as error:
        return [*checks, Check("the batch is what its receipts make", False, str(error))]
    except (KeyError, TypeError, ValueError, AttributeError, Invalid, OverflowError) as error:
        return [*checks, Check("the file is a batch", False, str(error))]
    return [*checks, *_on_chain(saved, parsed, batch, chain)]


def _counted(parsed: _Parsed) -> str:
    lost = parsed.last - parsed.first + 1 - len(parsed.receipts)
    told = f"{parsed.first}..{parsed.last}"
    return f"{told}, {lost} of them abandoned" if lost else told


def _parse(saved: Mapping[str, Any]) -> _Parsed:
    if set(saved) != FIELDS or saved["object"] != "batch":
        raise _Failed("its fields are not those of a batch")
    if saved["checksum"] != checksum(saved):
        raise _Failed("its checksum is another: the file was changed or damaged")
    first, last = saved["first"], saved["last"]
    if type(first) is not int or type(last) is not int or not 0 <= last - first < MAX_RECEIPTS:
        raise _Failed("its range cannot be")
    if type(saved["datanet"]) is not str or type(saved["held"]) not in (str, type(None)):
        raise _Failed("its Datanet's name, or why it is held, is no text")
    ledger = _ledger(saved["ledger"])
    return _Parsed(
        ledger,
        bytes.fromhex(saved["datanet_id"][2:]),
        first,
        last,
        dict(_policy(*item) for item in saved["policies"].items()),
        dict(_adapter(*item) for item in saved["adapters"].items()),
        [_signed(shown, ledger) for shown in saved["receipts"]],
        [_gap(shown) for shown in saved["abandoned"]],
    )


def _ledger(shown: Mapping[str, Any]) -> Ledger:
    ledger = Ledger.from_json(shown)
    lengths = [len(x) for x in (ledger.pool, ledger.registry, ledger.token)]
    if not same_json(ledger.as_json(), shown) or lengths != [20, 20, 20]:
        raise _Failed("its ledger is not written as Footnote writes it")
    return ledger


def _policy(name: str, body: Mapping[str, Any] | None) -> tuple[bytes, Policy | None]:
    policy_id = _id(name)
    if body is None:
        return policy_id, None
    policy = policy_from(body)
    if content_id(body) != policy_id or not same_json(body, policy.definition.body):
        raise _Failed("a policy is not the one that its id names")
    return policy_id, policy


def _adapter(name: str, body: Mapping[str, Any] | None) -> tuple[bytes, Mapping[str, Any] | None]:
    adapter_id = _id(name)
    if body is not None and content_id(body) != adapter_id:
        raise _Failed("an adapter is not the one that its id names")
    return adapter_id, body


def _id(name: str) -> bytes:
    found = bytes.fromhex(name[2:])
    if name != "0x" + found.hex():
        raise _Failed("an id is not written as Footnote writes it")
    return found


def _gap(shown: Mapping[str, Any]) -> Abandoned:
    numbers = [shown[name] for name in ("first", "last", "at")]
    previous, digest = (bytes.fromhex(shown[name][2:]) for name in ("previous", "digest"))
    if set(shown) != GAP or any(type(n) is not int for n in numbers) or numbers[0] > numbers[1]:
        raise _Failed("an abandoned range cannot be read")
    gap = Abandoned(numbers[0], numbers[1], previous, digest, numbers[2])
    if not same_json(abandoned_object(gap), shown) or (len(previous), len(digest)) != (32, 32):
        raise _Failed("an abandoned range is not written as Footnote writes it")
    return gap


def _signed(shown: Mapping[str, Any], ledger: Ledger) -> _Signed:
    """One receipt, as it is written; its signature fits its digest."""
    message = receipt_from_json(shown["message"])
    lines = tuple(line_from_json(line) for line in shown["lines"])
    digest = message.digest(ledger.domain)
    signature = bytes.fromhex(str(shown["signature"]).removeprefix("0x"))
    signer = recover(digest, signature)
    if signer is None:
        raise _Failed(f"the signature of receipt {message.seq} is none")
    again = {
        "domain": ledger.domain.as_json(),
        "message": message.as_json(),
        "digest": "0x" + digest.hex(),
        "signature": "0x" + signature.hex(),
        "signer": format_address(signer),
        "lines": [line.as_json() for line in lines],
    }
    if set(shown) != SIGNED or not same_json(again, dict(shown)):
        raise _Failed(f"receipt {message.seq} is not what was signed")
    return _Signed(message, digest, lines, signer)


def _check_numbers(parsed: _Parsed) -> None:
    """Every number has a receipt or is abandoned, in order, and each names the one before."""
    receipts, gaps = list(parsed.receipts[::-1]), list(parsed.abandoned[::-1])
    seq, previous = parsed.first, None
    named: bytes | None
    while seq <= parsed.last:
        if receipts and receipts[-1].message.seq == seq:
            signed = receipts.pop()
            named, digest, following = signed.message.previous, signed.digest, seq + 1
        elif gaps and (gaps[-1].first == seq or gaps[-1].first < seq == parsed.first):
            gap = gaps.pop()
            named = gap.previous if gap.first == seq else None
            digest, following = gap.digest, gap.last + 1
        else:
            raise _Failed(f"receipt {seq} is missing, or the receipts are not in order")
        if previous is not None and named != previous:
            raise _Failed(f"what stands at {seq} does not name the receipt before")
        if following <= seq:
            raise _Failed("an abandoned range lies before its batch")
        previous, seq = digest, following
    if receipts or gaps:
        raise _Failed("it holds more than its range")


def _check_receipt(signed: _Signed, parsed: _Parsed) -> None:
    message = signed.message
    if (message.ledger_id, message.datanet_id) != (parsed.ledger.ledger_id, parsed.datanet_id):
        raise _Failed(f"receipt {message.seq} is of another Ledger or Datanet")
    if citations_root(signed.lines) != message.citations_root:
        raise _Failed(f"the lines of receipt {message.seq} are not the signed ones")


def _amounts(parsed: _Parsed) -> Check:
    """Every amount, recomputed from fee, weights, shares and policy."""
    name, lost = "every amount follows from fee, weights and shares", 0
    if set(parsed.policies) != {signed.message.policy_id for signed in parsed.receipts}:
        raise _Failed("its policies are not those that its receipts name")
    answered = {signed.message.adapter_id for signed in parsed.receipts}
    if set(parsed.adapters) != answered - {ZERO_HASH}:
        raise _Failed("its adapters are not those that its receipts name")
    for signed in parsed.receipts:
        policy = parsed.policies[signed.message.policy_id]
        adapter = parsed.adapters.get(signed.message.adapter_id)
        unknown = adapter is None and signed.message.adapter_id != ZERO_HASH
        if policy is None or (unknown and policy.model_host == ADAPTER_OWNER):
            lost += 1
            continue
        problem = line_problem(signed.lines, signed.message, policy, adapter)
        if problem is not None:
            raise _Failed(f"receipt {signed.message.seq}: {problem}")
    if lost:
        return Check(name, None, f"the policy or adapter of {lost} receipts is lost")
    return Check(name, True)


def _payables(parsed: _Parsed) -> list[Payable]:
    found = [
        Payable(
            signed.message.seq, signed.message.leaf, signed.message.issued_at,
            tuple((line.account, line.amount) for line in signed.lines),
        )
        for signed in parsed.receipts
    ]  # fmt: skip
    for gap in parsed.abandoned:
        for seq in range(max(gap.first, parsed.first), min(gap.last, parsed.last) + 1):
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
        raise _Failed(f"{', '.join(wrong)}: not what the receipts make")
    settled = saved["status"] in SETTLED
    if not settled and saved["status"] not in WAITING:
        raise _Failed("its status is none")
    tx_hash = saved["tx_hash"]
    if tx_hash is not None and (not settled or not re.fullmatch("0x[0-9a-f]{64}", tx_hash)):
        raise _Failed("its transaction cannot be")
    if saved["status"] == "final" and saved["held"] is not None:
        raise _Failed("what is final is not held")


def _on_chain(
    saved: Mapping[str, Any], parsed: _Parsed, batch: Batch, chain: EvmChain | None
) -> list[Check]:
    names = "the pool holds exactly this batch", "its signers were registered at the time"
    if chain is None:
        return [Check(name, None, "no chain was asked") for name in names]
    if not chain.confirms(parsed.ledger):
        return [Check(names[0], False, "the chain does not hold this ledger")]
    return [_held(names[0], saved, parsed, batch, chain), _signers(names[1], saved, parsed, chain)]


def _held(
    name: str, saved: Mapping[str, Any], parsed: _Parsed, batch: Batch, chain: EvmChain
) -> Check:
    ledger = parsed.ledger
    stored = chain.batch_at(ledger, parsed.datanet_id, batch.first, "latest")
    if saved["status"] in WAITING:
        passed = None if stored is None else False
        return Check(name, passed, "not settled yet" if stored is None else "fetch it again")
    if stored is None or (stored.receipts_root, stored.digest, stored.last) != (
        batch.receipts_root, batch.digest, batch.last,
    ):  # fmt: skip
        return Check(name, False, "the chain holds no such batch")
    tx_hash = chain.settlement_tx(ledger, stored.batch_id)
    if tx_hash is None:
        return Check(name, None, "it does, but no transaction of it was found")
    if saved["tx_hash"] not in (None, "0x" + tx_hash.hex()):
        return Check(name, False, "another transaction settled it")
    receipt = chain.receipt(tx_hash)
    final = receipt is not None and receipt.block <= chain.finalized()
    if saved["status"] == "final" and not final:
        return Check(name, False, "its transaction is not final")
    return Check(name, True, f"{batch.total} to {len(batch.payouts)} accounts")


def _signers(name: str, saved: Mapping[str, Any], parsed: _Parsed, chain: EvmChain) -> Check:
    """What a compromised key signed is believed only if it was settled, as for one receipt."""
    signers = {signed.signer for signed in parsed.receipts}
    terms = {one: chain.signer_term(parsed.ledger, parsed.datanet_id, one) for one in signers}
    for signed in parsed.receipts:
        term = terms[signed.signer]
        if term is None or not term.covers(signed.message.issued_at):
            return Check(name, False, f"receipt {signed.message.seq} is signed by a stranger")
        if term.compromised and saved["status"] not in SETTLED:
            return Check(name, False, f"receipt {signed.message.seq} is signed by a revoked key")
    return Check(name, True, f"{len(terms)} signers")
