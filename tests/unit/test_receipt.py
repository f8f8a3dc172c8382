"""The format of receipts is final: golden receipts hold every preimage.

They are compared byte by byte with what the product makes today, and every hash in them is computed
again by a second implementation that shares no code with it: eth_account for EIP-712, eth_abi and
pycryptodome's keccak for leaves, and a Merkle tree of its own. ``REGENERATE_GOLDEN=1`` writes the
files anew; once a receipt was signed in the field, nobody may.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from Crypto.Hash import keccak as pycryptodome
from eth_abi.abi import encode
from eth_account import Account
from eth_account.messages import SignableMessage, encode_typed_data

from footnote.model import Answer, Definition, Usage, Verdict
from rewards.batch import batch_of, proof_in_batch
from rewards.journal.journal import Journal
from rewards.ledger import Registration, SignerTerm
from rewards.policy import Policy
from rewards.receipt import RECEIPT_TYPE, AnswerReceipt, line_from_json, receipt_from_json
from rewards.record import Recorder
from tests.money import FAR, address, answer, document, key_of, refusal, supported

GOLDEN = Path(__file__).resolve().parent.parent / "golden"
FILES = ("receipts.json", "unpaid.json")
SIGNER = key_of("golden signer")
DATANET_ID = hashlib.sha256(b"golden datanet").digest()
REGISTRATION = Registration(
    "eips", FAR, DATANET_ID, address(80), (SignerTerm(SIGNER.address, 1_700_000_000),)
)
POLICY = Policy(
    price_per_answer=10**18 + 7,
    max_per_answer=2**96 - 1,
    daily_budget=None,
    daily_limit_per_address=10**18,
    model_host=address(71),
    platform=address(73),
)


def golden_answers() -> list[Answer]:
    """One of each kind: plain, with several contributors and verdicts, a refusal, beyond ASCII,
    beyond 64 bits."""
    eip, rfc = document("eip-1153", (1, 10_000)), document("rfc-2119", (2, 3_333), (1, 6_667))
    unicode_ = document("Ægir/ünïcode-✓", (3, 10_000))
    made = [
        answer([supported(1, eip)]),
        answer([supported(1, eip), supported(1, rfc), (2, eip, Verdict.PARTIAL), supported(3, rfc)],
               adapter=Definition({"kind": "adapter", "name": "legal-é"}), usage=Usage(1_234, 567)),
        refusal(),
        answer([supported(1, unicode_)], question="Wie heißt die Straße? 🙂", text="Ægir: 🙂 [1]"),
        answer([supported(1, document("dear", (4, 10_000)))], usage=Usage(10**13, 0)),
    ]  # fmt: skip
    return [replace(one, answer_id=f"ans_{number:032x}") for number, one in enumerate(made)]


def golden(tmp_path: Path, name: str) -> bytes:
    """The file ``name`` as the product makes it today."""
    journal = Journal(f"sqlite:///{tmp_path / name}.sqlite")
    paid = name == "receipts.json"
    ledger = FAR.ledger_id if paid else bytes(32)
    if paid:
        journal.add_ledger(FAR)
        journal.register(REGISTRATION)
        journal.set_policy("eips", POLICY)
    salts = count(1)
    recorder = Recorder(
        journal,
        SIGNER if paid else None,
        clock=lambda: 1_750_000_000 + 100 * journal.next_seq(ledger, "eips"),
        new_salt=lambda: hashlib.sha256(b"salt %d" % next(salts)).digest(),
    )
    bodies = [recorder.record(one) for one in golden_answers()]
    stored = journal.receipts(ledger, "eips", 0, 100)
    payables = journal.payables(ledger, "eips", 0)
    batch = batch_of(payables)
    domain = stored[0].domain
    made = {
        "domain": domain.as_json(),
        "domainSeparator": _hex(domain.separator),
        "type": RECEIPT_TYPE,
        "receipts": [
            {
                "answer": {
                    "id": body["id"],
                    "question": body["question"],
                    "text": body["text"],
                    "salt": body["receipt"]["salt"],
                },
                "definitions": {
                    kind: journal.definition(getattr(receipt.message, f"{kind}_id"))
                    for kind in ("model", "adapter", "verifier", "policy")
                },
                "message": receipt.message.as_json(),
                "hashStruct": _hex(receipt.message.hash_struct),
                "digest": _hex(receipt.digest),
                "signature": _hex(receipt.signature) if receipt.signature else None,
                "signer": _hex(receipt.signer) if receipt.signer else None,
                "lines": [
                    {**line.as_json(), "leaf": _hex(line.leaf(index))}
                    for index, line in enumerate(receipt.lines)
                ],
                "leaf": _hex(receipt.message.leaf),
                "proof": [_hex(node) for node in proof_in_batch(payables, receipt.message.seq)],
            }
            for body, receipt in zip(bodies, stored, strict=True)
        ],
        "ledger": FAR.as_json() if paid else None,
        "batch": {
            "first": batch.first,
            "last": batch.last,
            "receiptsRoot": _hex(batch.receipts_root),
            "total": str(batch.total),
            "entries": [_hex(entry) for entry in batch.entries],
            "digest": _hex(batch.digest),
            "batchId": _hex(batch.batch_id(domain.chain_id, domain.pool, DATANET_ID)),
        },
    }
    return json.dumps(made, indent=1, ensure_ascii=False).encode() + b"\n"


def _hex(data: bytes) -> str:
    return "0x" + data.hex()


@pytest.mark.parametrize("name", FILES)
def test_the_product_still_makes_the_golden_receipts_byte_for_byte(
    tmp_path: Path, name: str
) -> None:
    made = golden(tmp_path, name)
    if os.environ.get("REGENERATE_GOLDEN") == "1":
        (GOLDEN / name).write_bytes(made)
    assert made == (GOLDEN / name).read_bytes()


# The second implementation. It imports nothing of Footnote.


def keccak(data: bytes) -> bytes:
    return pycryptodome.new(digest_bits=256, data=data).digest()


def raw(text: str) -> bytes:
    assert text.startswith("0x")
    return bytes.fromhex(text[2:])


def leaf_of(types: Sequence[str], values: Sequence[Any]) -> bytes:
    return keccak(keccak(encode(types, values)))


def root_of(leaves: list[bytes]) -> bytes:
    if not leaves:
        return bytes(32)
    while len(leaves) > 1:
        leaves = leaves + [bytes(32)] * (len(leaves) % 2)
        leaves = [keccak(min(p) + max(p)) for p in zip(leaves[::2], leaves[1::2], strict=True)]
    return leaves[0]


def canonical(body: Any) -> bytes:
    """RFC 8785 for what definitions hold: ASCII keys, text, small whole numbers, null."""
    return json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def read(name: str) -> dict[str, Any]:
    body: dict[str, Any] = json.loads((GOLDEN / name).read_text("utf-8"))
    return body


def typed(body: dict[str, Any], receipt: dict[str, Any]) -> SignableMessage:
    inner = body["type"].removeprefix("AnswerReceipt(").removesuffix(")")
    fields = [field.split(" ") for field in inner.split(",")]
    message = dict(receipt["message"])
    for kind, name in fields:
        message[name] = raw(message[name]) if kind == "bytes32" else int(message[name])
    return encode_typed_data(
        full_message={
            "types": {
                "EIP712Domain": [
                    {"name": "name", "type": "string"},
                    {"name": "version", "type": "string"},
                    {"name": "chainId", "type": "uint256"},
                    {"name": "verifyingContract", "type": "address"},
                ],
                "AnswerReceipt": [{"name": name, "type": kind} for kind, name in fields],
            },
            "primaryType": "AnswerReceipt",
            "domain": body["domain"],
            "message": message,
        }
    )


def each(name: str) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    body = read(name)
    return [(body, receipt) for receipt in body["receipts"]]


ALL = [pair for name in FILES for pair in each(name)]
PAID = each(FILES[0])


def test_the_type_is_the_one_that_the_design_fixes() -> None:
    assert read(FILES[0])["type"] == (
        "AnswerReceipt(bytes32 ledgerId,bytes32 answerId,bytes32 datanetId,uint64 seq,"
        "bytes32 previous,bytes32 questionHash,bytes32 answerHash,bytes32 modelId,"
        "bytes32 adapterId,bytes32 verifierId,bytes32 policyId,bytes32 snapshotId,"
        "uint32 registryVersion,bytes32 citationsRoot,uint128 fee,uint128 dataPool,uint64 issuedAt)"
    )


@pytest.mark.parametrize(("body", "receipt"), ALL)
def test_domain_struct_and_digest_are_those_of_eip_712(
    body: dict[str, Any], receipt: dict[str, Any]
) -> None:
    message = typed(body, receipt)
    assert message.header == raw(body["domainSeparator"])
    assert message.body == raw(receipt["hashStruct"])
    assert keccak(b"\x19\x01" + message.header + message.body) == raw(receipt["digest"])


@pytest.mark.parametrize(("body", "receipt"), PAID)
def test_the_signature_is_the_signers_over_the_typed_data(
    body: dict[str, Any], receipt: dict[str, Any]
) -> None:
    recovered = Account.recover_message(typed(body, receipt), signature=receipt["signature"])
    assert recovered.lower() == receipt["signer"]


@pytest.mark.parametrize(("body", "receipt"), ALL)
def test_hashes_of_answer_and_definitions_follow_from_their_preimages(
    body: dict[str, Any], receipt: dict[str, Any]
) -> None:
    message, said = receipt["message"], receipt["answer"]
    salt = raw(said["salt"])
    assert raw(message["answerId"]) == keccak(said["id"].encode())
    assert raw(message["questionHash"]) == keccak(salt + said["question"].encode())
    assert raw(message["answerHash"]) == keccak(salt + said["text"].encode())
    assert raw(message["snapshotId"]) == hashlib.sha256(b"snapshot").digest()
    for kind, definition in receipt["definitions"].items():
        expected = hashlib.sha256(canonical(definition)).digest() if definition else bytes(32)
        assert raw(message[f"{kind}Id"]) == expected, kind


@pytest.mark.parametrize(("body", "receipt"), ALL)
def test_lines_hash_to_the_citations_root(body: dict[str, Any], receipt: dict[str, Any]) -> None:
    leaves = []
    for index, line in enumerate(receipt["lines"]):
        named = line["document_id"] is not None
        document_hash = keccak(line["document_id"].encode()) if named else bytes(32)
        assert raw(line["document_hash"]) == document_hash
        leaves.append(
            leaf_of(
                ["uint32", "bytes32", "bytes32", "uint64", "uint64", "bytes32", "address",
                 "uint32", "uint128"],
                [index, document_hash, raw(line["version_hash"]), line["start"], line["end"],
                 raw(line["cited_text_hash"]), line["account"], line["weight_ppm"],
                 int(line["amount"])],
            )
        )  # fmt: skip
        assert leaves[-1] == raw(line["leaf"])
    assert root_of(leaves) == raw(receipt["message"]["citationsRoot"])
    data = [line for line in receipt["lines"] if line["part"] == "data"]
    assert sum(int(line["amount"]) for line in data) == int(receipt["message"]["dataPool"])


@pytest.mark.parametrize("name", FILES)
def test_each_receipt_names_the_one_before_and_its_own_number(name: str) -> None:
    previous = "0x" + "00" * 32
    for seq, receipt in enumerate(read(name)["receipts"]):
        assert receipt["message"]["seq"] == seq
        assert receipt["message"]["previous"] == previous
        previous = receipt["digest"]


@pytest.mark.parametrize("name", FILES)
def test_root_entries_and_digest_of_the_batch_follow_from_its_receipts(name: str) -> None:
    body = read(name)
    receipts, batch = body["receipts"], body["batch"]
    leaves: list[bytes] = []
    owed: dict[bytes, int] = {}
    for receipt in receipts:
        message = receipt["message"]
        values = [raw(message["datanetId"]), message["seq"], raw(receipt["hashStruct"])]
        leaves.append(leaf_of(["bytes32", "uint64", "bytes32"], values))
        assert leaves[-1] == raw(receipt["leaf"])
        for line in receipt["lines"]:
            account = raw(line["account"].lower())
            owed[account] = owed.get(account, 0) + int(line["amount"])
    root = root_of(leaves)
    assert root == raw(batch["receiptsRoot"])
    entries = [a + n.to_bytes(12, "big") for a, n in sorted(owed.items()) if n]
    assert entries == [raw(entry) for entry in batch["entries"]]
    total = sum(owed.values())
    assert str(total) == batch["total"]
    assert keccak(encode(["uint256", "bytes32[]"], [total, entries])) == raw(batch["digest"])
    domain = body["domain"]
    assert raw(batch["batchId"]) == keccak(
        encode(
            ["uint256", "address", "bytes32", "uint64", "uint64", "bytes32"],
            [domain["chainId"], domain["verifyingContract"],
             hashlib.sha256(b"golden datanet").digest(), batch["first"], batch["last"], root],
        )
    )  # fmt: skip
    for receipt in receipts:
        node = raw(receipt["leaf"])
        for sibling in receipt["proof"]:
            node = keccak(b"".join(sorted((node, raw(sibling)))))
        assert node == root


@pytest.mark.parametrize(("body", "receipt"), PAID)
def test_the_ledger_id_names_the_deployment(body: dict[str, Any], receipt: dict[str, Any]) -> None:
    ledger = body["ledger"]
    assert raw(receipt["message"]["ledgerId"]) == keccak(
        encode(
            ["uint256", "bytes32", "address", "bytes32", "bytes32"],
            [ledger["chain_id"], raw(ledger["genesis_hash"]), ledger["pool"],
             raw(ledger["deployment_tx"]), raw(ledger["deployment_block_hash"])],
        )
    )  # fmt: skip


def test_the_golden_receipts_cover_what_receipts_can_hold() -> None:
    lines = [line for _, receipt in PAID for line in receipt["lines"]]
    assert {line["part"] for line in lines} == {"data", "model_host", "platform"}
    assert any(line["withheld"] for line in lines)
    assert max(int(receipt["message"]["fee"]) for _, receipt in PAID) > 2**64
    assert any(not receipt["lines"] for _, receipt in PAID)
    assert any(receipt["definitions"]["adapter"] for _, receipt in PAID)


def test_without_a_ledger_domain_signature_and_amounts_are_zero() -> None:
    for body, receipt in each("unpaid.json"):
        assert body["domain"]["chainId"] == 0
        assert int(body["domain"]["verifyingContract"], 16) == 0
        assert (receipt["signature"], receipt["signer"]) == (None, None)
        assert raw(receipt["message"]["ledgerId"]) == raw(receipt["message"]["datanetId"])
        assert not any(raw(receipt["message"]["ledgerId"]))
        assert all(line["amount"] == "0" for line in receipt["lines"])


def test_messages_and_lines_are_read_back_from_json() -> None:
    for _, receipt in ALL:
        assert receipt_from_json(receipt["message"]).as_json() == receipt["message"]
        for shown in receipt["lines"]:
            line = {name: value for name, value in shown.items() if name != "leaf"}
            assert line_from_json(line).as_json() == line


@pytest.mark.parametrize(
    "change",
    [{"seq": -1}, {"seq": 2**64}, {"fee": str(2**128)}, {"previous": "0x00"}, {"extra": 1},
     {"registryVersion": 2**32}],
)  # fmt: skip
def test_a_message_that_does_not_fit_its_types_is_none(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        receipt_from_json({**PAID[0][1]["message"], **change})


def test_every_field_of_a_message_is_signed() -> None:
    message = receipt_from_json(PAID[1][1]["message"])
    digests = {message.hash_struct}
    for name in AnswerReceipt.__slots__:
        value = getattr(message, name)
        other: Any = hashlib.sha256(value).digest() if isinstance(value, bytes) else value + 1
        digests.add(replace(message, **{name: other}).hash_struct)
    assert len(digests) == 1 + len(AnswerReceipt.__slots__)
