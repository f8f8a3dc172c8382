"""The base model and the rows it generates for. The door of transformers, with its neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import AutoModelForCausalLM, DynamicCache
from transformers.utils import logging as transformers_logging

from footnote.errors import Misconfigured
from openlora.engine.choice import Chooser, choose, counted, usable
from openlora.engine.memory import Memory
from openlora.engine.mixing import Adapter, Mixture
from openlora.engine.weights import load_adapter
from openlora.generation import Chosen, Joined, Seat

DTYPES = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}
_PREFILL_TOKENS = {"cpu": 1_024, "cuda": 16_384}
"""Prompts are read together up to so many positions, padding counted: beyond it a processor gains
nothing more from company, and rows that run already would wait."""
_SCORED_NUMBERS = 1 << 26
"""Scoring a prompt takes a number for every position and word; this bounds them."""


@dataclass(slots=True)
class _Rows:
    memory: Memory
    lengths: list[int]
    adapters: list[Adapter | None]
    choosers: list[Chooser]
    last: list[int] = field(default_factory=list)


class BaseModel:
    """An Engine over a causal language model of transformers with full attention.

    Args:
        folder: the model in transformers' format, weights in safetensors.
        name: the id that adapters give as their base.
        max_context: a lower limit than the model's own, if any.

    Raises:
        Misconfigured: it cannot be loaded, or attends in a way that cannot be batched here.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        *,
        dtype: str,
        device: str,
        max_rank: int,
        max_context: int | None = None,
    ) -> None:
        self._name, self._max_rank = name, max_rank
        self._dtype, self._device = DTYPES[dtype], torch.device(device)
        self._model = _load(folder, self._dtype, self._device)
        self._mixture = Mixture(self._model)
        own = int(self._model.config.max_position_embeddings)
        self._max_context = min(own, max_context or own)
        ends = self._model.generation_config.eos_token_id
        self._ends = frozenset(ends if isinstance(ends, list) else [] if ends is None else [ends])
        self._vocabulary = int(self._model.config.vocab_size)
        self._rows: _Rows | None = None

    @property
    def max_context(self) -> int:
        return self._max_context

    @property
    def vocabulary(self) -> int:
        return self._vocabulary

    @property
    def ends(self) -> frozenset[int]:
        return self._ends

    def load(self, folder: Path, name: str | None = None) -> Adapter:
        return load_adapter(
            folder,
            self._mixture,
            name=name or folder.name,
            base=self._name,
            max_rank=self._max_rank,
            dtype=self._dtype,
            device=self._device,
        )

    def size(self, adapter: Adapter) -> int:
        return adapter.size

    @torch.inference_mode()
    def join(self, seats: Sequence[Seat[Adapter]]) -> list[Joined]:
        """Prompts of like length are read together; each group then joins the rows."""
        order = sorted(range(len(seats)), key=lambda i: len(seats[i].prompt))
        joined: dict[int, Joined] = {}
        parts = []
        for group in self._groups([seats[i] for i in order]):
            members = [order[i] for i in group]
            rows, results = self._read([seats[i] for i in members])
            joined.update(zip(members, results, strict=True))
            parts.append((members, rows))
        placed = [i for members, _ in parts for i in members]
        new = _together([rows for _, rows in parts])
        new = _kept(new, [placed.index(i) for i in range(len(seats))])
        self._rows = new if self._rows is None else _together([self._rows, new])
        self._mixture.seat(self._rows.adapters)
        return [joined[i] for i in range(len(seats))]

    @torch.inference_mode()
    def step(self) -> list[Chosen]:
        rows = self._rows
        if rows is None:
            return []
        memory = rows.memory
        present = torch.cat((memory.present, memory.present.new_ones((len(rows.last), 1))), dim=1)
        output = self._model(
            input_ids=self._tensor(rows.last).unsqueeze(1),
            attention_mask=present,
            position_ids=self._tensor(rows.lengths).unsqueeze(1),
            past_key_values=memory.cache(),
            use_cache=True,
        )
        rows.memory = Memory.of(output.past_key_values, present)
        rows.lengths = [length + 1 for length in rows.lengths]
        chosen = choose(output.logits[:, -1], rows.choosers)
        rows.last = [one.token for one in chosen]
        return chosen

    def keep(self, rows: Sequence[int]) -> None:
        if self._rows is None or len(rows) == len(self._rows.last):
            return
        with torch.inference_mode():
            self._rows = _kept(self._rows, rows) if rows else None
            self._mixture.seat(self._rows.adapters if self._rows else [])

    def _groups(self, seats: Sequence[Seat[Adapter]]) -> list[list[int]]:
        """Seats in ascending length, cut where reading them together would be too much."""
        limit = _PREFILL_TOKENS.get(self._device.type, _PREFILL_TOKENS["cuda"])
        groups: list[list[int]] = []
        for i, seat in enumerate(seats):
            group = groups[-1] if groups else []
            size = (len(group) + 1) * len(seat.prompt)
            scored = any(seats[j].echo for j in [*group, i])
            if (
                group
                and size <= limit
                and not (scored and size * self._vocabulary > _SCORED_NUMBERS)
            ):
                group.append(i)
            else:
                groups.append([i])
        return groups

    def _read(self, seats: Sequence[Seat[Adapter]]) -> tuple[_Rows, list[Joined]]:
        """Prompts through the model at once."""
        longest = max(len(seat.prompt) for seat in seats)
        ids, present, positions = [], [], []
        for seat in seats:
            missing = longest - len(seat.prompt)
            ids.append([0] * missing + list(seat.prompt))
            present.append([0] * missing + [1] * len(seat.prompt))
            positions.append([0] * missing + list(range(len(seat.prompt))))
        adapters = [seat.adapter for seat in seats]
        self._mixture.seat(adapters)
        mask = self._tensor(present)
        output = self._model(
            input_ids=self._tensor(ids),
            attention_mask=mask,
            position_ids=self._tensor(positions),
            past_key_values=DynamicCache(),
            use_cache=True,
            logits_to_keep=0 if any(seat.echo for seat in seats) else 1,
        )
        choosers = [Chooser(seat.sampling) for seat in seats]
        first = choose(output.logits[:, -1], choosers)
        rows = _Rows(
            Memory.of(output.past_key_values, mask),
            [len(seat.prompt) for seat in seats],
            adapters,
            choosers,
            [one.token for one in first],
        )
        scores = (_scored(seat, output.logits[i]) for i, seat in enumerate(seats))
        return rows, [Joined(one, prompt) for one, prompt in zip(first, scores, strict=True)]

    def _tensor(self, values: Sequence[Any]) -> Tensor:
        return torch.tensor(values, dtype=torch.long, device=self._device)


def _scored(seat: Seat[Adapter], logits: Tensor) -> tuple[Chosen, ...]:
    """A prompt's tokens, each with its probability after those before it; ``logits`` is padded
    on the left."""
    if not seat.echo:
        return ()
    first, rest = seat.prompt[0], list(seat.prompt[1:])
    if not rest:
        return (Chosen(first),)
    predicted = logits[-len(seat.prompt) : -1]
    if not all(usable(predicted)):
        return (Chosen(first, failed=True),)
    return (Chosen(first), *counted(predicted, rest, seat.sampling.logprobs or 0))


def _together(parts: Sequence[_Rows]) -> _Rows:
    first, *others = parts
    for other in others:
        first = _Rows(
            first.memory.joined(other.memory),
            first.lengths + other.lengths,
            first.adapters + other.adapters,
            first.choosers + other.choosers,
            first.last + other.last,
        )
    return first


def _kept(rows: _Rows, kept: Sequence[int]) -> _Rows:
    return _Rows(
        rows.memory.kept(kept),
        [rows.lengths[i] for i in kept],
        [rows.adapters[i] for i in kept],
        [rows.choosers[i] for i in kept],
        [rows.last[i] for i in kept],
    )


def pick_device(wanted: str | None) -> str:
    """``wanted``, else the first GPU if there is one, else the CPU."""
    return wanted or ("cuda" if torch.cuda.is_available() else "cpu")


def _load(folder: Path, dtype: torch.dtype, device: torch.device) -> Any:
    silence: Any = transformers_logging  # untyped
    silence.disable_progress_bar()  # nobody watches a server's log
    try:
        model: Any = AutoModelForCausalLM.from_pretrained(
            folder,
            dtype=dtype,
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
        )
        model.to(device)
    except (OSError, ValueError, RuntimeError) as error:
        raise Misconfigured(
            "the base model cannot be loaded", "name a folder in transformers' format with --base"
        ) from error
    kinds = set(getattr(model.config, "layer_types", None) or ["full_attention"])
    if kinds != {"full_attention"} or getattr(model.config, "sliding_window", None):
        raise Misconfigured(
            "the base model does not attend to everything", "serve it with vLLM instead"
        )
    return model.eval()
