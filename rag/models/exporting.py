"""Writes the export of an embedding model, and keeps it only where its vectors are torch's."""

from __future__ import annotations

import logging
import os
import shutil
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from footnote.files import file_sha256
from footnote.ids import canonical_json
from rag.models.embedder import Vectors, model_path, reference_model, traceable, weights_sha256
from rag.models.export import (
    DESCRIPTION,
    FORMAT,
    NETWORK,
    TOKENIZER,
    WEIGHTS,
    Export,
    folder_of,
    open_export,
    openvino,
)
from rag.models.exported import ExportedModel

log = logging.getLogger(__name__)

LEAST_COSINE = 0.9995
"""What each vector of an export shares at least with torch's in float32."""


TRIALS = (
    "Who is owed for a cited sentence?",
    "Short.",
    "The receipt is signed before the answer is shown, and its number has no gap before it. " * 9,
    "日本語のテキスト, naïve café, 1,048,576 and a few more words.",
)
"""Texts on which an export is compared with torch before it is kept."""


def export(models: Path, model: str) -> Export | None:
    """The export of ``model``, written where there is none yet.

    None where OpenVINO is not installed, or cannot read the model, or reads it otherwise than
    torch; then torch serves.
    """
    try:
        openvino()
    except ImportError:
        return None
    path = model_path(model)
    weights = weights_sha256(path)
    found = open_export(models, weights)
    if found is not None:
        return found
    building = models / f".building-{os.getpid()}"
    shutil.rmtree(building, ignore_errors=True)
    try:
        building.mkdir(parents=True)
        _write(building, path, weights)
        final = folder_of(models, weights)
        shutil.rmtree(final, ignore_errors=True)
        building.rename(final)
    except Exception as error:  # whatever it is, torch does the same work
        log.warning("the model is served by torch, since it cannot be exported: %s", error)
        shutil.rmtree(building, ignore_errors=True)
        return open_export(models, weights)  # another process may have been first
    return open_export(models, weights)


def _write(folder: Path, path: Path, weights: str) -> None:
    model = reference_model(path)
    whole, example = traceable(model, TRIALS[:2])
    inputs = list(example)
    ov = openvino()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a trace warns of every branch that it does not take
        network = ov.convert_model(whole, example_input=tuple(example.values()))
    for value, name in zip(network.inputs, inputs, strict=True):
        value.get_tensor().set_names({name})
    ov.save_model(network, str(folder / NETWORK), compress_to_fp16=False)
    tokenizer = model.tokenizer.backend_tokenizer
    tokenizer.no_padding()
    tokenizer.no_truncation()
    tokenizer.save(str(folder / TOKENIZER))
    body = {
        "format": FORMAT,
        "weights_sha256": weights,
        "inputs": inputs,
        "dimension": int(model.get_embedding_dimension()),
        "max_tokens": int(model.max_seq_length),
        "pad_token_id": int(model.tokenizer.pad_token_id or 0),
        "prompts": {name: text or "" for name, text in sorted(model.prompts.items())},
        "files": {name: file_sha256(folder / name) for name in (NETWORK, WEIGHTS, TOKENIZER)},
    }
    _check(Export(folder, body), _reference(model))
    (folder / DESCRIPTION).write_bytes(canonical_json(body))


def _reference(model: Any) -> Vectors:
    rows: Vectors = model.encode(
        list(TRIALS), prompt="", normalize_embeddings=True, show_progress_bar=False
    )
    return rows


def _check(written: Export, reference: Vectors) -> None:
    vectors = ExportedModel(written, threads=1).embed(list(TRIALS))
    least = float(np.min(np.sum(vectors * reference, axis=1)))
    if least < LEAST_COSINE:
        raise ValueError(f"its vectors differ from torch's, cosine {least:.5f}")
