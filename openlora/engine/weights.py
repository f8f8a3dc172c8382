"""An adapter's checked weights from disk to the device. The door of safetensors."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file

from openlora.engine.mixing import Adapter, Mixture
from openlora.validation import WEIGHTS, inspect_adapter


def load_adapter(
    folder: Path,
    mixture: Mixture,
    *,
    base: str,
    max_rank: int,
    dtype: torch.dtype,
    device: torch.device,
) -> Adapter:
    """The adapter in ``folder``, checked, in the base's type and place.

    Raises:
        Invalid: it is no adapter of this base.
    """
    facts = inspect_adapter(folder, base=base, max_rank=max_rank)
    for name, (a, b) in facts.modules.items():
        mixture.check(name, (a.shape[1], a.shape[0]), (b.shape[1], b.shape[0]))
    stored = load_file(folder / WEIGHTS)

    def factor(name: str, half: str, scale: float) -> torch.Tensor:
        tensor = stored[f"base_model.model.{name}.lora_{half}.weight"].to(torch.float32)
        # A copy of its own: nothing may keep the whole file in memory.
        return (tensor.T * scale).to(device=device, dtype=dtype).contiguous()

    return Adapter(
        {name: (factor(name, "A", 1.0), factor(name, "B", facts.scale)) for name in facts.modules},
        facts.rank,
    )
