"""An embedding model as OpenVINO reads it, written once while torch is there.

    HOME/models/<hash of the weights>/
        export.json       what it is, and the SHA-256 of every other file
        model.xml, .bin   tokens to unit vectors, in float32: encoder, pooling, normalisation
        tokenizer.json    text to tokens

The SHA-256 of ``export.json`` is the export's id, which the manifests of snapshots name. What does
not match its hashes, or was never named, is not loaded. A new export is kept only if its vectors
agree with torch's (:mod:`rag.models.exporting`). The door of OpenVINO, whose telemetry is never let
in.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from footnote.files import file_sha256
from footnote.ids import canonical_json, sha256

FORMAT = 1
DESCRIPTION, NETWORK, WEIGHTS, TOKENIZER = (
    "export.json", "model.xml", "model.bin", "tokenizer.json",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Export:
    """An export on disk whose files matched their hashes when it was opened."""

    folder: Path
    body: dict[str, Any]

    @property
    def export_id(self) -> str:
        """64 hex digits, as a manifest names it."""
        return sha256(canonical_json(self.body)).hex()


def openvino() -> Any:
    """The package ``openvino``, without the module by which it would report its use.

    Raises:
        ImportError: it is not installed.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    return import_module("openvino")


def folder_of(models: Path, weights: str) -> Path:
    """Where the export of those weights lies, if there is one."""
    return models / weights


def open_export(models: Path, weights: str) -> Export | None:
    """The export of those weights, or None where none is whole."""
    folder = folder_of(models, weights)
    try:
        body = json.loads((folder / DESCRIPTION).read_bytes())
        known = body["format"] == FORMAT and body["weights_sha256"] == weights
        whole = known and all(
            file_sha256(folder / name) == body["files"][name]
            for name in (NETWORK, WEIGHTS, TOKENIZER)
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return Export(folder, body) if whole else None
