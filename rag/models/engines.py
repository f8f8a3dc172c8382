"""A model compiled several times over, and lent to one thread at a time.

Questions in numbers are computed side by side, each batch on one core, since cores that share a
batch wait for each other. What comes alone, while nothing else is computed, has the cores to
itself, in two thirds of the time. Either way each number is the same sum in the same order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock, Semaphore
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rag.models.export import openvino

Rows = NDArray[np.float32]
Inputs = Sequence[NDArray[np.int64]]

_HOW = {"NUM_STREAMS": 1, "ENABLE_CPU_PINNING": False}
"""Computes where it is called, without a hand-over. Pinned, as is OpenVINO's default, all of them
would compute on the same core."""


@dataclass(slots=True)
class _Engine:
    """``shape`` is of the inputs that it had last; no ``request``: it has to be made anew."""

    request: Any
    cores: int
    shape: tuple[int, ...] = ()


class Engines:
    """The network in the file ``network``, for ``threads`` threads that compute at once.

    Args:
        wide: give what comes alone all of ``threads``, for the memory of the weights once more.
        example: inputs of one row, as :meth:`infer` takes them.
    """

    def __init__(self, network: Path, threads: int, example: Inputs, *, wide: bool) -> None:
        self._network = network
        self._example = example
        self._core = openvino().Core()
        self._tensor = openvino().Tensor
        model = self._read()
        self._threads = threads
        self._narrow = [_Engine(self._request(model, 1), 1) for _ in range(threads)]
        self._wide = (
            [_Engine(self._request(model, threads), threads)] if wide and threads > 1 else []
        )
        self._places = Semaphore(threads)
        self._lending = Lock()

    def infer(self, inputs: Inputs, *, alone: bool) -> Rows:
        """The network's first output, shape (rows, …), for inputs of shape (rows, tokens).

        ``alone``: the caller has nothing else to compute.
        """
        with self._places:
            engine = self._lend(inputs[0].shape, alone)
            try:
                return self._compute(engine, inputs)
            finally:
                with self._lending:
                    (self._narrow if engine.cores == 1 else self._wide).append(engine)

    def _lend(self, shape: tuple[int, ...], alone: bool) -> _Engine:
        """The wide one where nothing else is computed. Else the one that had this shape last,
        since another takes half a millisecond to prepare for it; else the one used last, whose
        weights the caches may still hold."""
        with self._lending:
            if alone and self._wide and len(self._narrow) == self._threads:
                return self._wide.pop()
            latest = reversed(range(len(self._narrow)))
            return self._narrow.pop(next((i for i in latest if self._narrow[i].shape == shape), -1))

    def _compute(self, engine: _Engine, inputs: Inputs) -> Rows:
        request = engine.request or self._request(self._read(), engine.cores)
        engine.request = None  # what failed once gives nothing right afterwards
        rows = self._rows(request, inputs)
        engine.request, engine.shape = request, inputs[0].shape
        return rows

    def _rows(self, request: Any, inputs: Inputs) -> Rows:
        for position, array in enumerate(inputs):
            request.set_input_tensor(position, self._tensor(array, shared_memory=True))
        rows: Rows = request.infer(share_outputs=True)[0].copy()
        return rows

    def _read(self) -> Any:
        """Not kept: what is compiled holds its own weights."""
        return self._core.read_model(str(self._network))

    def _request(self, model: Any, cores: int) -> Any:
        how = {**_HOW, "INFERENCE_NUM_THREADS": cores}
        request = self._core.compile_model(model, "CPU", how).create_infer_request()
        # The first of all inferences must have no other beside it: the package sets itself up
        # then, and two threads that do were seen to wait for each other for ever.
        self._rows(request, self._example)
        return request
