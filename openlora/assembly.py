"""Builds the server from folders and limits."""

from __future__ import annotations

import time
from pathlib import Path

from openlora.batcher import Batcher, Limits
from openlora.catalogue import Catalogue
from openlora.engine.base import BaseModel, pick_device
from openlora.engine.tokens import BaseTokens
from openlora.fingerprint import fingerprint
from openlora.residency import Residency
from openlora.service import Service
from openlora.tally import Tally
from openlora.validation import MAX_RANK


def build_service(
    base: Path,
    adapters: Path,
    limits: Limits,
    *,
    name: str | None = None,
    dtype: str | None = None,
    device: str | None = None,
    max_context: int | None = None,
    max_adapters: int = 32,
    max_adapter_bytes: int = 4 << 30,
    max_rank: int = MAX_RANK,
    admin_token: str | None = None,
    started: int = 0,
) -> Service:
    """A Service over the base model in ``base``; its batcher is not started.

    Raises:
        Misconfigured: the base cannot be loaded.
    """
    name = name or base.name
    device = pick_device(device)
    engine = BaseModel(
        base,
        name,
        dtype=dtype or ("float32" if device == "cpu" else "bfloat16"),
        device=device,
        max_rank=max_rank,
        max_context=max_context,
    )
    tally = Tally()
    batcher = Batcher(engine, Residency(max_adapters, max_adapter_bytes), limits, tally)
    return Service(
        base=name,
        base_folder=base,
        fingerprint=fingerprint(base),
        started=started,
        engine=engine,
        tokens=BaseTokens(base),
        catalogue=Catalogue(adapters),
        batcher=batcher,
        limits=limits,
        tally=tally,
        clock=time.monotonic,
        admin_token=admin_token,
    )
