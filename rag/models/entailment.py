"""What a model of natural-language inference says of a source and a claim."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from footnote.model import Definition


@dataclass(frozen=True, slots=True)
class Entailed:
    """What a model makes of a source and a claim: probabilities that sum to 1."""

    entailment: float
    neutral: float
    contradiction: float


class Entailment(Protocol):
    """A model that reads a source and a claim together."""

    @property
    def definition(self) -> Definition: ...

    def judge(self, pairs: Sequence[tuple[str, str]]) -> list[Entailed]:
        """For each pair of source and claim."""
