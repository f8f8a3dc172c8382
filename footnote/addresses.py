"""Addresses: 20 bytes inside, EIP-55 text at the borders. The door of ``eth_utils``."""

from __future__ import annotations

import re
from typing import NewType

from eth_utils.address import is_checksum_address, to_checksum_address

from footnote.errors import Invalid

Address = NewType("Address", bytes)

ZERO_ADDRESS = Address(bytes(20))
LAST_PRECOMPILE = 0x11
"""The highest precompiled contract that any current fork reserves (EIP-2537 ends at 0x11)."""

_HEX = re.compile(r"0x[0-9a-fA-F]{40}")


def parse_address(text: str) -> Address:
    """The Address written in ``text``.

    Mixed case must match its EIP-55 checksum; one case alone carries no checksum and is taken.
    The zero address and precompiled contracts are refused: nobody can claim from them.

    Raises:
        Invalid: with the reason.
    """
    fix = "give 0x and 40 hex digits, as a wallet shows it"
    if not _HEX.fullmatch(text):
        raise Invalid("not an Ethereum address", fix, code="invalid-address")
    digits = text[2:]
    if digits not in (digits.lower(), digits.upper()) and not is_checksum_address(text):
        raise Invalid(
            "an address does not match its EIP-55 checksum",
            "copy it again; one letter differs",
            code="invalid-address",
        )
    number = int(digits, 16)
    if number == 0:
        raise Invalid("the zero address", "name an account that can claim", code="invalid-address")
    if number <= LAST_PRECOMPILE:
        raise Invalid("a precompile", "name an account that can claim", code="invalid-address")
    return Address(bytes.fromhex(digits))


def format_address(address: bytes) -> str:
    """EIP-55 text of a 20-byte address."""
    return str(to_checksum_address(address))
