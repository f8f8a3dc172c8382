"""What attention remembers of the running rows, padded on the left to one length."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad
from transformers import DynamicCache


@dataclass(slots=True)
class Memory:
    """Keys and values of each layer, (rows, heads, length, head size), and which positions hold a
    token of their row, (rows, length)."""

    layers: list[tuple[Tensor, Tensor]]
    present: Tensor

    @classmethod
    def of(cls, cache: DynamicCache, present: Tensor) -> Memory:
        return cls([(keys, values) for keys, values, _ in cache], present)

    @property
    def length(self) -> int:
        return self.present.shape[1]

    def cache(self) -> DynamicCache:
        return DynamicCache(self.layers)

    def joined(self, other: Memory) -> Memory:
        """The rows of both, these first."""
        length = max(self.length, other.length)
        pairs = zip(self._lengthened(length), other._lengthened(length), strict=True)
        return Memory(
            [(torch.cat((k, ok)), torch.cat((v, ov))) for (k, v), (ok, ov) in pairs],
            torch.cat((self._present(length), other._present(length))),
        )

    def kept(self, rows: Sequence[int]) -> Memory:
        """Only these rows, without columns that none of them uses."""
        index = torch.tensor(rows, device=self.present.device)
        present = self.present.index_select(0, index)
        first = self.length - int(present.sum(dim=1).max())
        return Memory(
            [
                (
                    keys.index_select(0, index)[:, :, first:].contiguous(),
                    values.index_select(0, index)[:, :, first:].contiguous(),
                )
                for keys, values in self.layers
            ],
            present[:, first:].contiguous(),
        )

    def _lengthened(self, length: int) -> list[tuple[Tensor, Tensor]]:
        more = (0, 0, length - self.length, 0)
        return [(pad(keys, more), pad(values, more)) for keys, values in self.layers]

    def _present(self, length: int) -> Tensor:
        return pad(self.present, (length - self.length, 0))
