"""The base model by the hash of its files, so that a receipt can name what answered."""

from __future__ import annotations

import hashlib
from pathlib import Path

_FILES = (
    "chat_template.jinja",
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
)


def fingerprint(folder: Path) -> str:
    """``sha256:…`` over the SHA-256 of each of the weights and the files of configuration, tokens
    and chat template that there are, in the order of their names: what decides which words follow
    which."""
    whole = hashlib.sha256()
    named = [folder / name for name in _FILES if (folder / name).is_file()]
    for path in sorted([*named, *folder.glob("*.safetensors")]):
        with path.open("rb") as file:
            whole.update(hashlib.file_digest(file, "sha256").digest())
    return f"sha256:{whole.hexdigest()}"
