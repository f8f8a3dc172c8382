"""Rows of one batch, each with an adapter of its own, in two products for each linear layer.

PEFT's mixed batches loop over adapters in every layer, so eight adapters cost eight times the
small products of one. Here the factors of the rows are stacked whenever the rows change, and all
rows are multiplied together; nothing is ever merged into the base.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from footnote.errors import Invalid


@dataclass(frozen=True, slots=True)
class Adapter:
    """Factors by module: A as (inputs, rank), B as (rank, outputs) with the scale in it."""

    factors: Mapping[str, tuple[Tensor, Tensor]]
    rank: int

    @property
    def size(self) -> int:
        return sum(a.nbytes + b.nbytes for a, b in self.factors.values())


class MixedLinear(nn.Module):
    """A linear layer that adds to each row what the row's adapter says."""

    def __init__(self, base: nn.Linear) -> None:
        super().__init__()
        self.base = base
        self.down: Tensor | None = None
        self.up: Tensor | None = None

    def forward(self, inputs: Tensor) -> Tensor:
        output: Tensor = self.base(inputs)
        if self.down is None or self.up is None:
            return output
        return torch.baddbmm(output, torch.bmm(inputs, self.down), self.up)


class Mixture:
    """Every linear layer of a model, ready for rows with different adapters."""

    def __init__(self, model: nn.Module) -> None:
        found = [(n, m) for n, m in model.named_modules() if isinstance(m, nn.Linear)]
        self._layers = {name: MixedLinear(linear) for name, linear in found}
        for name, layer in self._layers.items():
            parent, _, attribute = name.rpartition(".")
            setattr(model.get_submodule(parent), attribute, layer)

    def check(self, name: str, down: tuple[int, int], up: tuple[int, int]) -> None:
        """Whether a layer takes factors of these shapes, (inputs, rank) and (rank, outputs).

        Raises:
            Invalid: the base has no such linear layer, or one of another size.
        """
        layer = self._layers.get(name)
        if layer is None:
            raise Invalid(f"the base has no linear layer {name[:200]}", "train on this very base")
        if down[0] != layer.base.in_features or up[1] != layer.base.out_features:
            raise Invalid(f"{name} has another size in the base", "train on this very base")

    def seat(self, adapters: Sequence[Adapter | None]) -> None:
        """Prepare for a batch whose rows have these adapters, in this order."""
        distinct = {id(a): a for a in adapters if a is not None}
        rank = max((a.rank for a in distinct.values()), default=0)
        for name, layer in self._layers.items():
            layer.down = layer.up = None
            if any(name in a.factors for a in distinct.values()):
                layer.down, layer.up = _stacked(name, layer.base, adapters, rank)


def _stacked(
    name: str, base: nn.Linear, adapters: Sequence[Adapter | None], rank: int
) -> tuple[Tensor, Tensor]:
    """Factors of every row; zeros for the base and behind a lower rank."""
    down = base.weight.new_zeros((len(adapters), base.in_features, rank))
    up = base.weight.new_zeros((len(adapters), rank, base.out_features))
    for row, adapter in enumerate(adapters):
        if adapter is not None and name in adapter.factors:
            a, b = adapter.factors[name]
            down[row, :, : adapter.rank] = a
            up[row, : adapter.rank] = b
    return down, up
