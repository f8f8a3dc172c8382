"""What an answer costs and who gets which part. Pure; versioned by content, per Datanet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

from footnote.addresses import Address, format_address, parse_address
from footnote.errors import Invalid
from footnote.model import Definition, Usage
from footnote.shares import split

DATA_PPM, MODEL_HOST_PPM, STAKERS_PPM, PLATFORM_PPM = 500_000, 200_000, 200_000, 100_000
"""The parts of a fee, after the example that OpenLedger published for an inference of 1 OPEN: half
to data contributors, a fifth each to model hosts and stakers, a tenth to the platform."""

NAMED_PARTS = ("model_host", "stakers", "platform")
ADAPTER_OWNER = "adapter_owner"
"""In the place of the model host's address: whoever owns the adapter that answered."""
MAX_AMOUNT = 2**96 - 1


@dataclass(frozen=True, slots=True)
class Parts:
    """A fee, split. Base units of the reward token."""

    data: int
    model_host: int
    stakers: int
    platform: int


@dataclass(frozen=True, slots=True)
class Policy:
    """Prices and limits in base units; prices per 1,000 tokens. A named part is owed only if its
    address is given, or follows from the adapter. Limits count the UTC day of ``issuedAt``."""

    price_per_answer: int = 5 * 10**15
    price_in: int = 10**15
    price_out: int = 2 * 10**15
    max_per_answer: int = 10**18
    daily_budget: int | None = 100 * 10**18
    daily_limit_per_address: int | None = 20 * 10**18
    model_host: Address | Literal["adapter_owner"] | None = None
    stakers: Address | None = None
    platform: Address | None = None

    def fee(self, usage: Usage) -> int:
        """What one answer costs, at most ``max_per_answer``."""
        tokens = usage.input_tokens * self.price_in + usage.output_tokens * self.price_out
        return min(self.price_per_answer + tokens // 1_000, self.max_per_answer)

    @staticmethod
    def parts(fee: int) -> Parts:
        return Parts(*split(fee, [DATA_PPM, MODEL_HOST_PPM, STAKERS_PPM, PLATFORM_PPM]))

    def named(self, adapter: Mapping[str, Any] | None) -> list[tuple[str, Address]]:
        """The named parts that are owed and to whom, for an answer by that adapter's definition.

        No adapter, or one that nobody owns, leaves its owner's part unowed.
        """
        owed = []
        for part in NAMED_PARTS:
            account: Address | str | None = getattr(self, part)
            if account == ADAPTER_OWNER:
                owner = (adapter or {}).get("owner")
                account = parse_address(owner) if isinstance(owner, str) else None
            if isinstance(account, bytes):
                owed.append((part, Address(account)))
        return owed

    @property
    def definition(self) -> Definition:
        """Its canonical form: amounts as decimal text, addresses as EIP-55."""
        body: dict[str, Any] = {"kind": "policy", "version": 1}
        for name in (f.name for f in fields(self)):
            value = getattr(self, name)
            if isinstance(value, bytes):
                body[name] = format_address(value)
            else:
                body[name] = None if value is None else str(value)
        body["parts_ppm"] = {
            "data": DATA_PPM, "model_host": MODEL_HOST_PPM, "stakers": STAKERS_PPM,
            "platform": PLATFORM_PPM,
        }  # fmt: skip
        return Definition(body)


def policy_from(body: Mapping[str, Any]) -> Policy:
    """The Policy that a table of settings describes; what it leaves out has its default.

    Raises:
        Invalid: names the field that is wrong.
    """
    known = {f.name for f in fields(Policy)}
    values: dict[str, Any] = {}
    for name, value in body.items():
        if name in ("kind", "version", "parts_ppm"):
            continue
        if name not in known:
            raise Invalid(f"a policy has no field {name}", f"use {', '.join(sorted(known))}")
        if name == "model_host" and value == ADAPTER_OWNER:
            values[name] = value
        else:
            values[name] = _address(name, value) if name in NAMED_PARTS else _amount(name, value)
    return Policy(**values)


def _amount(name: str, value: object) -> int | None:
    if value in (None, "none") and name.startswith("daily_"):
        return None  # TOML has no null
    try:
        amount = int(str(value)) if not isinstance(value, bool) else -1
    except ValueError:
        amount = -1
    if not 0 <= amount <= MAX_AMOUNT:
        raise Invalid(f"{name} is not an amount", "give base units as a whole number below 2^96")
    return amount


def _address(name: str, value: object) -> Address | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise Invalid(f"{name} is not an address", "give it in quotes")
    return parse_address(value)
