"""Identity is content: known hashes, and nothing that two contents share."""

from __future__ import annotations

import re

import pytest

from footnote import ids, strict_json
from footnote.addresses import Address, format_address, parse_address
from footnote.errors import Invalid


def test_keccak_is_that_of_ethereum_and_not_sha3() -> None:
    assert ids.keccak(b"").hex() == (
        "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
    )


def test_a_version_is_the_sha_256_of_the_utf_8_text() -> None:
    assert ids.version_of("é").hex() == (
        "4a99557e4033c3539de2eb65472017cad5f9557f7a0625a09f1c3f6e2ba69c4c"
    )


def test_canonical_json_sorts_keys_by_utf_16_and_keeps_characters() -> None:
    body = {"b": 1, "a": "€", "\U0001f600": 2, "\ufb33": 3}
    assert ids.canonical_json(body).decode() == '{"a":"€","b":1,"\U0001f600":2,"\ufb33":3}'


def test_a_definitions_id_does_not_depend_on_the_order_of_its_keys() -> None:
    assert ids.content_id({"a": 1, "b": {"c": 2, "d": 3}}) == ids.content_id(
        {"b": {"d": 3, "c": 2}, "a": 1}
    )


def test_answer_ids_carry_128_random_bits() -> None:
    made = {ids.new_answer_id() for _ in range(1_000)}
    assert len(made) == 1_000
    assert all(re.fullmatch(r"ans_[0-9a-f]{32}", one) for one in made)


def test_a_ledger_id_names_chain_genesis_pool_and_deployment() -> None:
    base = (1, b"g" * 32, b"p" * 20, b"t" * 32, b"b" * 32)
    others = [
        (2, *base[1:]), (1, b"h" * 32, *base[2:]), (*base[:2], b"q" * 20, *base[3:]),
        (*base[:3], b"u" * 32, base[4]), (*base[:4], b"c" * 32),
    ]  # fmt: skip
    made = {ids.ledger_id(*one) for one in [base, *others]}
    assert len(made) == 6


def test_an_address_is_20_bytes_inside_and_eip_55_outside() -> None:
    text = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
    assert format_address(parse_address(text)) == text
    assert format_address(parse_address(text.lower())) == text
    assert format_address(parse_address("0x" + text[2:].upper())) == text


@pytest.mark.parametrize(
    "text",
    [
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeD",
        "0x5aaeb6053f3e94c9b9a09f33669435e7ef1beae",
        "5aaeb6053f3e94c9b9a09f33669435e7ef1beaed",
        "0x" + "0" * 40,
        "0x" + "0" * 39 + "1",
        "0x" + "0" * 38 + "11",
        "0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaeg",
        " 0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed",
        "0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed\n",
        "",
    ],
)
def test_what_nobody_can_claim_from_is_no_address(text: str) -> None:
    with pytest.raises(Invalid):
        parse_address(text)


def test_the_first_account_after_the_precompiles_is_an_address() -> None:
    assert parse_address("0x" + "0" * 38 + "12") == Address(bytes(19) + b"\x12")


@pytest.mark.parametrize(
    "data",
    [
        b'{"a": 1, "a": 2}', b'{"a": {"b": 1, "b": 1}}', b'{"a": NaN}', b'{"a": Infinity}',
        b'{"a": -Infinity}', b'{"a": "\\ud800"}', b'{"\\udfff": 1}', b'{"a": 1', b"", b"\xff",
        b"[" * 100_000, b'{"a":' * 50_000, b"[" * 65, b"1" * 5_000, b"1e400", b"-1e999",
    ],
)  # fmt: skip
def test_strict_json_takes_no_traps(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"\w") as refused:
        strict_json.loads(data)
    assert "sys." not in str(refused.value), "an error speaks to whoever sent the JSON"


def test_strict_json_reads_what_is_plain() -> None:
    assert strict_json.loads('{"a": ["é", 1.5, null, "\\ud83d\\ude00"]}'.encode()) == {
        "a": ["é", 1.5, None, "😀"]
    }


def test_brackets_inside_strings_are_no_depth() -> None:
    text = '["' + "[{" * 1_000 + '\\"' + "[" * 1_000 + '", ' + "[" * 63 + "1" + "]" * 64
    assert strict_json.loads(text.encode())[0].count("[") == 2_000
