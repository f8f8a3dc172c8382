"""An adapter's checked weights from disk to the device. The door of safetensors."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file

from footnote.errors import Invalid
from openlora.engine.mixing import Adapter, Mixture
from openlora.validation import WEIGHTS, check_hash, inspect_adapter


def load_adapter(
    folder: Path,
    mixture: Mixture,
    *,
    name: str,
    base: str,
    max_rank: int,
    dtype: torch.dtype,
    device: torch.device,
) -> Adapter:
    """The adapter in ``folder``, checked, in the base's type and place.

    Raises:
        Invalid: it is no adapter of this base, or not the one that ``name`` promises.
    """
    facts = inspect_adapter(folder, base=base, max_rank=max_rank)
    check_hash(name, facts.digest)
    for layer, (a, b) in facts.modules.items():
        mixture.check(layer, (a.shape[1], a.shape[0]), (b.shape[1], b.shape[0]))
    stored = load_file(folder / WEIGHTS)

    def factor(layer: str, half: str, scale: float) -> torch.Tensor:
        tensor = stored[f"base_model.model.{layer}.lora_{half}.weight"].to(torch.float32)
        # A copy of its own: nothing may keep the whole file in memory.
        made = (tensor.T * scale).to(device=device, dtype=dtype).contiguous()
        if not bool(torch.isfinite(made).all()):
            raise Invalid(f"{layer} holds numbers too large for {dtype}", "train it again")
        return made

    return Adapter(
        {one: (factor(one, "A", 1.0), factor(one, "B", facts.scale)) for one in facts.modules},
        facts.rank,
    )
