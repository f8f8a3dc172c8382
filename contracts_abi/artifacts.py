"""The compiled contracts, by name.

The JSON files beside this module are built from `contracts/src` by `npm run build` and never edited
by hand.
"""

import json
from dataclasses import dataclass
from importlib.resources import files
from typing import Any


class UnknownContract(KeyError):
    """No contract of that name was built; the message names those that were."""

    def __init__(self, name: str, known: list[str]) -> None:
        super().__init__(name)
        self.name = name
        self.known = known

    def __str__(self) -> str:
        return f"no contract {self.name!r}: choose one of {', '.join(self.known)}"


@dataclass(frozen=True)
class Artifact:
    """One contract: `bytecode` is its creation code, before constructor arguments."""

    name: str
    abi: list[dict[str, Any]]
    bytecode: bytes


def load(name: str) -> Artifact:
    """Read the contract `name`, say `RewardPool`; raises `UnknownContract` for any other name."""
    name_to_file = {
        file.name.removesuffix(".json"): file
        for file in files(__package__).iterdir()
        if file.name.endswith(".json")
    }
    if name not in name_to_file:
        raise UnknownContract(name, sorted(name_to_file))
    fields = json.loads(name_to_file[name].read_text(encoding="utf-8"))
    return Artifact(
        name=fields["contractName"],
        abi=fields["abi"],
        bytecode=bytes.fromhex(fields["bytecode"].removeprefix("0x")),
    )
