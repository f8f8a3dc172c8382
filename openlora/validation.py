"""What an adapter must be before anything serves it. Loads no torch, so that a store can ask too.

An adapter is a folder as PEFT writes it: ``adapter_config.json`` and ``adapter_model.safetensors``.
Accepted is what production servers compute alike: a plain LoRA of linear layers. vLLM ignores
per-layer ranks and scales and refuses DoRA and trained copies of whole modules; an adapter that
needs any of these would answer differently there, or not at all, so it is refused here.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from footnote.errors import Invalid

CONFIG = "adapter_config.json"
WEIGHTS = "adapter_model.safetensors"
MAX_RANK = 64
MAX_SCALE = 1_024.0
"""Of lora_alpha over the rank (or its root). Adapters in use have 0.1 to 64."""
MAX_NUMBER = 65_504.0
"""The largest number of float16, the narrowest type that an adapter may be served in."""

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]|\.(?!\.)){0,127}")
_HASHED = re.compile(r".+-([0-9a-f]{12})")
_TENSOR = re.compile(r"base_model\.model\.([A-Za-z0-9_.]+)\.lora_(A|B)\.weight")
_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle")
_MAX_HEADER_BYTES = 10_000_000
_MAX_CONFIG_BYTES = 1_000_000
_CHECKED_AT_ONCE = 1 << 22

_ABSENT = (
    "alora_invocation_tokens", "alpha_pattern", "arrow_config", "fan_in_fan_out", "kasa_config",
    "layer_replication", "lora_bias", "megatron_config", "modules_to_save", "monteclora_config",
    "rank_pattern", "target_parameters", "trainable_token_indices", "use_bdlora", "use_dora",
    "use_qalora", "velora_config",
)  # fmt: skip
"""Options of PEFT that change what an adapter computes beyond scale · B · A."""

_PLAIN_STARTS = (True, False, None, "gaussian", "orthogonal", "eva")
"""Initialisations that leave the base as it is. PiSSA, OLoRA and their like change the base."""

_EXPONENTS = {"F32": ("<u4", 0x7F800000), "F16": ("<u2", 0x7C00), "BF16": ("<u2", 0x7F80)}
"""Stored type → how to read it, and the exponent bits that are all set in NaN and infinity."""


@dataclass(frozen=True, slots=True)
class Factor:
    """One stored matrix: its shape, and its bytes ``[start, end)`` in the file."""

    dtype: str
    shape: tuple[int, int]
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class AdapterFacts:
    """An adapter that passed. ``modules`` maps a module's name in the base to its factors A
    (rank × inputs) and B (outputs × rank); the adapter adds ``scale · B · A``. ``digest`` is the
    SHA-256 over both files, so it names what is computed."""

    base: str
    rank: int
    scale: float
    modules: Mapping[str, tuple[Factor, Factor]]
    weight_bytes: int
    digest: bytes


def check_name(name: str) -> str:
    """``name``, if it names a folder and can name nothing else.

    Raises:
        Invalid: it could leave the adapters' folder when joined to a path.
    """
    if not _NAME.fullmatch(name):
        raise Invalid("not an adapter's name", "use letters, digits, dots, hyphens and underscores")
    return name


def check_hash(name: str, digest: bytes) -> None:
    """Whether files of ``digest`` may stand under ``name``. A name that ends as a Datanet's adapter
    does, in 12 hex digits, promises the files that hash to it.

    Raises:
        Invalid: they are others.
    """
    promised = _HASHED.fullmatch(name)
    if promised and promised[1] != digest.hex()[:12]:
        raise Invalid(
            f"the files of {name} are not those that its name promises",
            "add the adapter again with footnote adapters add",
        )


def inspect_adapter(folder: Path, *, base: str, max_rank: int = MAX_RANK) -> AdapterFacts:
    """Read the adapter in ``folder`` whole and return what it is.

    Args:
        base: the id that ``base_model_name_or_path`` must equal.

    Raises:
        Invalid: it is no plain LoRA of that base, or its weights, scaled, are no numbers that every
            type can hold.
    """
    config_bytes = _config_bytes(folder)
    rank, scale = _check_config(_parsed(config_bytes, CONFIG), base, max_rank)
    weights = folder / WEIGHTS
    if not weights.is_file():
        raise Invalid(f"the adapter has no {WEIGHTS}", "save it with safetensors")
    pickles = sorted(p.name for p in folder.iterdir() if p.suffix.lower() in _PICKLES)
    if pickles:
        raise Invalid(f"{pickles[0]} may hold code", f"keep {CONFIG} and {WEIGHTS} alone")
    factors, first_byte = _header(weights)
    modules = _paired(factors, rank)
    _check_numbers(weights, first_byte, modules, scale)
    digest = hashlib.sha256(hashlib.sha256(config_bytes).digest())
    with weights.open("rb") as file:
        digest.update(hashlib.file_digest(file, "sha256").digest())
    size = sum(f.end - f.start for f in factors.values())
    return AdapterFacts(base, rank, scale, modules, size, digest.digest())


def _config_bytes(folder: Path) -> bytes:
    path = folder / CONFIG
    if not path.is_file():
        raise Invalid(f"the adapter has no {CONFIG}", "name a folder as PEFT writes it")
    if path.stat().st_size > _MAX_CONFIG_BYTES:
        raise Invalid(f"{CONFIG} is too large", "name a folder as PEFT writes it")
    return path.read_bytes()


def _parsed(data: bytes, what: str) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        raise Invalid(f"{what} cannot be read", "save the adapter again") from None
    if not isinstance(value, dict):
        raise Invalid(f"{what} is not an object", "save the adapter again")
    return value


def _check_config(config: Mapping[str, Any], base: str, max_rank: int) -> tuple[int, float]:
    """Rank and scale."""
    if config.get("peft_type") != "LORA":
        raise Invalid("the adapter is not of type LORA", "train it as LoRA")
    if config.get("task_type") not in (None, "CAUSAL_LM"):
        raise Invalid("the adapter is for another task", "train it for CAUSAL_LM")
    if config.get("base_model_name_or_path") != base:
        raise Invalid(
            "the adapter is for another base model",
            f"base_model_name_or_path must be the id under which the base is served, {base}",
        )
    for option in _ABSENT:
        if config.get(option):
            raise Invalid(f"the adapter uses {option}", "train a plain LoRA")
    if config.get("bias", "none") != "none":
        raise Invalid("the adapter trained biases", "train it with bias none")
    start = config.get("init_lora_weights", True)
    if start not in _PLAIN_STARTS:
        raise Invalid("the adapter changes its base", "convert it to a plain LoRA")
    rank, alpha = config.get("r"), config.get("lora_alpha")
    if not isinstance(rank, int) or isinstance(rank, bool) or not 1 <= rank <= max_rank:
        raise Invalid(f"the rank is not 1 to {max_rank}", "train it with a lower rank")
    # Compared before anything is computed: JSON's integers have no largest one.
    if not isinstance(alpha, (int, float)) or not 0 < alpha <= MAX_SCALE * rank:
        raise Invalid(
            "lora_alpha is not a positive number, or too large",
            f"train it with a scale of at most {MAX_SCALE:g}",
        )
    scale = alpha / (math.sqrt(rank) if config.get("use_rslora") else rank)
    if scale > MAX_SCALE:
        raise Invalid("lora_alpha is too large", f"train it with a scale of at most {MAX_SCALE:g}")
    return rank, scale


def _header(path: Path) -> tuple[dict[str, Factor], int]:
    """Every tensor of a safetensors file, and where its data begins."""
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or not 2 <= length <= min(_MAX_HEADER_BYTES, size - 8):
            raise Invalid(f"{WEIGHTS} is not a safetensors file", "save the adapter again")
        header = _parsed(file.read(length), WEIGHTS)
    factors = {
        name: _factor(name, entry) for name, entry in header.items() if name != "__metadata__"
    }
    reached = 0
    for factor in sorted(factors.values(), key=lambda f: f.start):
        if factor.start != reached:
            raise Invalid(f"{WEIGHTS} has gaps or overlaps", "save the adapter again")
        reached = factor.end
    if 8 + length + reached != size:
        raise Invalid(f"{WEIGHTS} is cut off or too long", "save the adapter again")
    return factors, 8 + length


def _factor(name: str, entry: Any) -> Factor:
    try:
        dtype, (rows, columns) = entry["dtype"], entry["shape"]
        start, end = entry["data_offsets"]
        width = int(_EXPONENTS[dtype][0][-1])
        fits = all(type(n) is int for n in (rows, columns, start, end)) and (
            rows > 0 and columns > 0 and start >= 0 and end - start == rows * columns * width
        )
    except (KeyError, TypeError, ValueError):
        fits = False
    if not fits:
        raise Invalid(
            f"tensor {name[:200]!r} is no matrix of a LoRA", "store matrices as F32, F16 or BF16"
        )
    return Factor(dtype, (rows, columns), start, end)


def _paired(factors: Mapping[str, Factor], rank: int) -> dict[str, tuple[Factor, Factor]]:
    halves: dict[str, dict[str, Factor]] = {}
    for name, factor in factors.items():
        match = _TENSOR.fullmatch(name)
        if match is None:
            raise Invalid(
                f"tensor {name[:200]!r} is no factor of a linear layer", "target linear layers only"
            )
        halves.setdefault(match[1], {})[match[2]] = factor
    modules = {}
    for module, pair in sorted(halves.items()):
        if pair.keys() != {"A", "B"}:
            raise Invalid(f"{module} has one factor of two", "save the adapter again")
        a, b = pair["A"], pair["B"]
        if a.shape[0] != rank or b.shape[1] != rank:
            raise Invalid(f"{module} has another rank than r", "train all layers with one rank")
        modules[module] = (a, b)
    if not modules:
        raise Invalid("the adapter holds no weights", "save the adapter again")
    return modules


def _check_numbers(
    path: Path, first_byte: int, modules: Mapping[str, tuple[Factor, Factor]], scale: float
) -> None:
    """Every number is finite, and no larger than any type holds, B with the scale in it."""
    stored = np.memmap(path, np.uint8, mode="r", offset=first_byte)
    for module, (a, b) in modules.items():
        for factor, times in ((a, 1.0), (b, scale)):
            layout, exponent = _EXPONENTS[factor.dtype]
            for part in _parts(stored[factor.start : factor.end]):
                bits = np.frombuffer(part.tobytes(), layout)
                if bool(((bits & exponent) == exponent).any()):
                    raise Invalid(f"{module} holds NaN or infinity", "train the adapter again")
                if _largest(factor.dtype, bits) * max(1.0, times) > MAX_NUMBER:
                    raise Invalid(
                        f"{module} holds numbers too large to compute with",
                        f"keep them below {MAX_NUMBER:g}, scaled as the adapter says",
                    )


def _largest(dtype: str, bits: np.ndarray[Any, Any]) -> float:
    """The largest magnitude among stored numbers, all finite."""
    if dtype == "BF16":
        return float(np.abs((bits.astype("<u4") << 16).view("<f4")).max())
    return float(np.abs(bits.view("<f4" if dtype == "F32" else "<f2")).max())


def _parts(stored: np.ndarray[Any, np.dtype[np.uint8]]) -> Iterator[Any]:
    for start in range(0, len(stored), _CHECKED_AT_ONCE):
        yield stored[start : start + _CHECKED_AT_ONCE]
