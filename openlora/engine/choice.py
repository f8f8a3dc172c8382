"""From logits to tokens: the likeliest, or drawn by each row's own seed."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from openlora.generation import Chosen, Sampling

GREEDY_BELOW = 1e-5


class Chooser:
    """How one row chooses. Its draws depend on its seed alone, not on who shares the batch."""

    def __init__(self, sampling: Sampling) -> None:
        self.sampling = sampling
        self._generator: torch.Generator | None = None
        if sampling.temperature >= GREEDY_BELOW:
            self._generator = torch.Generator()
            if sampling.seed is None:
                self._generator.seed()
            else:
                self._generator.manual_seed(sampling.seed)

    @property
    def draws(self) -> bool:
        return self._generator is not None

    def draw(self, logits: Tensor) -> int:
        """One token by temperature and ``top_p``; logits of one row, float32 on the CPU."""
        chances = torch.softmax(logits.double() / self.sampling.temperature, dim=-1)
        if self.sampling.top_p < 1.0:
            ordered, order = torch.sort(chances, descending=True, stable=True)
            before = torch.cumsum(ordered, dim=-1) - ordered
            ordered[before >= self.sampling.top_p] = 0.0
            return int(order[torch.multinomial(ordered, 1, generator=self._generator)])
        return int(torch.multinomial(chances, 1, generator=self._generator))


def usable(logits: Tensor) -> list[bool]:
    """For each row of ``logits`` whether a token can be chosen by it: none is NaN or +∞."""
    fit: list[bool] = torch.isfinite(logits.amax(dim=-1)).tolist()
    return fit


def choose(logits: Tensor, choosers: Sequence[Chooser]) -> list[Chosen]:
    """One token for each row of ``logits``, (rows, vocabulary); a failed one where a row's are no
    numbers, whatever the others are."""
    tokens = logits.argmax(dim=-1).tolist()
    fit = usable(logits)
    chosen = []
    for row, chooser in enumerate(choosers):
        if not fit[row]:
            chosen.append(Chosen(0, failed=True))
            continue
        token = chooser.draw(logits[row].float().cpu()) if chooser.draws else tokens[row]
        count = chooser.sampling.logprobs
        if count is None:
            chosen.append(Chosen(token))
        else:
            chosen.append(counted(logits[row : row + 1], [token], count)[0])
    return chosen


def counted(logits: Tensor, tokens: Sequence[int], count: int) -> list[Chosen]:
    """Given tokens with their log-probabilities; row i of ``logits`` predicts token i."""
    logprobs = torch.log_softmax(logits.float(), dim=-1)
    index = torch.tensor(tokens, device=logits.device).unsqueeze(1)
    own = logprobs.gather(1, index).squeeze(1).tolist()
    values, ids = logprobs.topk(count, dim=-1)
    tops = [
        tuple(zip(row_ids, row_values, strict=True))
        for row_ids, row_values in zip(ids.tolist(), values.tolist(), strict=True)
    ]
    return [Chosen(t, p, top) for t, p, top in zip(tokens, own, tops, strict=True)]
