"""Text to vectors in OpenVINO, without torch: starts in half a second.

Computes in bfloat16 where the processor does, else in float32. A text is padded by its own length
alone, to the next multiple of ``STEP`` tokens, and shares a batch only with texts that were padded
to the same. Every row then goes through the same additions in the same order, whoever asks at the
same time: its vector is the same to the last bit, alone or among others.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from footnote.model import Definition
from rag.models.embedder import Prefixes, Vectors, definition_of, own_prefixes
from rag.models.engines import Engines
from rag.models.export import NETWORK, TOKENIZER, Export

STEP = 8
"""Texts of eight lengths share a batch, and the processor is spared odd shapes: on one with AVX512
a question costs a quarter less than padded to even lengths, and no more than to sixteens."""

BATCH_TOKENS = 1_024
"""The most tokens in a batch: larger ones only miss the caches."""

BATCH_TEXTS = 32

_FIELDS = {"input_ids": "ids", "attention_mask": "attention_mask", "token_type_ids": "type_ids"}


class ExportedModel:
    """An :class:`~rag.models.export.Export`, compiled for this processor. Safe in any number of
    threads, of which ``threads`` compute at once, each one batch.

    Args:
        wide: give a text that comes alone all threads.
    """

    def __init__(self, export: Export, threads: int, *, wide: bool = False) -> None:
        from tokenizers import Tokenizer

        body = export.body
        self.dimension = int(body["dimension"])
        self.max_tokens = int(body["max_tokens"])
        self.threads = threads
        self._inputs: list[str] = list(body["inputs"])
        self._pad = int(body["pad_token_id"])
        self._whole: Any = Tokenizer.from_file(str(export.folder / TOKENIZER))
        self._cut: Any = Tokenizer.from_file(str(export.folder / TOKENIZER))
        self._cut.enable_truncation(self.max_tokens)
        example = self._padded([self._cut.encode("")], STEP)
        self._engines = Engines(export.folder / NETWORK, threads, example, wide=wide)

    def token_starts(self, text: str) -> list[int]:
        """Ascending code-point offsets at which the tokens of ``text`` start."""
        encoded = self._whole.encode(text, add_special_tokens=False)
        return [start for start, _ in encoded.offsets]

    def embed(self, texts: Sequence[str], *, side_by_side: bool = False) -> Vectors:
        """Shape (len(texts), dimension). Side by side, several batches are computed at once, which
        pays for many."""
        if not texts:
            return np.zeros((0, self.dimension), np.float32)
        encoded = self._cut.encode_batch_fast(list(texts))  # without offsets
        vectors = np.empty((len(encoded), self.dimension), np.float32)
        batches = _batches([len(one.ids) for one in encoded], self.max_tokens)

        def compute(batch: tuple[int, list[int]]) -> None:
            length, rows = batch
            vectors[rows] = self._engines.infer(
                self._padded([encoded[i] for i in rows], length), alone=len(texts) == 1
            )

        if not side_by_side or self.threads == 1 or len(batches) == 1:
            for batch in batches:
                compute(batch)
        else:
            with ThreadPoolExecutor(self.threads) as pool:
                list(pool.map(compute, batches))
        return vectors

    def _padded(self, encoded: list[Any], length: int) -> list[NDArray[np.int64]]:
        """One array for each input of the model, shape (len(encoded), length)."""
        arrays = []
        for name in self._inputs:
            array = np.full(
                (len(encoded), length), self._pad if name == "input_ids" else 0, np.int64
            )
            for row, one in zip(array, encoded, strict=True):
                row[: len(one.ids)] = getattr(one, _FIELDS[name])
            arrays.append(array)
        return arrays


def _batches(lengths: Sequence[int], longest: int) -> list[tuple[int, list[int]]]:
    """Padded length and rows of each batch, longest first."""
    classes: dict[int, list[int]] = {}
    for row, length in enumerate(lengths):
        classes.setdefault(min(-(-length // STEP) * STEP, longest), []).append(row)
    found = []
    for length, rows in sorted(classes.items(), reverse=True):
        size = max(1, min(BATCH_TEXTS, BATCH_TOKENS // length))
        found += [(length, rows[i : i + size]) for i in range(0, len(rows), size)]
    return found


class ExportedEmbedder:
    """An Embedder over an export.

    Args:
        model: as the settings name it.
        threads: how many batches are computed at once.
        for_questions: give a text that comes alone all threads.
        prefixes: those that the model's own configuration names, when None.
    """

    def __init__(
        self,
        export: Export,
        model: str,
        *,
        threads: int,
        for_questions: bool = True,
        prefixes: Prefixes | None = None,
    ) -> None:
        self._model = ExportedModel(export, threads, wide=for_questions)
        self._prefixes = prefixes or own_prefixes(export.body["prompts"])
        self.export_id = export.export_id
        self._definition = definition_of(
            model, export.body["weights_sha256"], self.dimension, self.window, self._prefixes
        )

    @property
    def definition(self) -> Definition:
        return self._definition

    @property
    def dimension(self) -> int:
        return self._model.dimension

    @property
    def window(self) -> int:
        return self._model.max_tokens - 2 - len(self.token_starts(self._prefixes.document))

    def token_starts(self, text: str) -> Sequence[int]:
        return self._model.token_starts(text)

    def embed_documents(self, texts: Sequence[str]) -> Vectors:
        whole = [self._prefixes.document + text for text in texts]
        return self._model.embed(whole, side_by_side=True)

    def embed_question(self, text: str) -> Vectors:
        vector: Vectors = self.embed_questions([text])[0]
        return vector

    def embed_questions(self, texts: Sequence[str]) -> Vectors:
        return self._model.embed([self._prefixes.question + text for text in texts])
