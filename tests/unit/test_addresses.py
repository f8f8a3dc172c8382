from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from footnote.addresses import LAST_PRECOMPILE, format_address, parse_address
from footnote.errors import Invalid

EIP_55 = [
    "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
    "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
    "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
    "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
    "0x52908400098527886E0F7030069857D2E4169EE7",
]
"""From the text of EIP-55."""


@pytest.mark.parametrize("text", EIP_55)
def test_the_addresses_of_eip_55_are_read_and_written_back(text: str) -> None:
    assert format_address(parse_address(text)) == text
    assert parse_address(text.lower()) == parse_address("0x" + text[2:].upper())


@given(st.binary(min_size=20, max_size=20).filter(lambda raw: int.from_bytes(raw) > 0x11))
def test_every_account_survives_its_text(raw: bytes) -> None:
    assert parse_address(format_address(raw)) == raw


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "not an Ethereum address"),
        ("0x", "not an Ethereum address"),
        ("5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "not an Ethereum address"),
        ("0X5aaeb6053f3e94c9b9a09f33669435e7ef1beaed", "not an Ethereum address"),
        (EIP_55[0] + "0", "not an Ethereum address"),
        (EIP_55[0] + "\n", "not an Ethereum address"),
        ("0x" + "g" * 40, "not an Ethereum address"),
        ("0x" + "٣" * 40, "not an Ethereum address"),
        (EIP_55[0].replace("A", "a", 1), "an address does not match its EIP-55 checksum"),
        ("0x" + "0" * 40, "the zero address"),
        ("0x" + "0" * 39 + "1", "a precompile"),
        (f"0x{LAST_PRECOMPILE:040x}", "a precompile"),
    ],
)
def test_what_nobody_can_claim_from_is_refused_with_its_reason(text: str, what: str) -> None:
    with pytest.raises(Invalid) as caught:
        parse_address(text)
    assert (caught.value.what, caught.value.code) == (what, "invalid-address")


def test_the_account_after_the_last_precompile_is_taken() -> None:
    assert int.from_bytes(parse_address(f"0x{LAST_PRECOMPILE + 1:040x}")) == 0x12
