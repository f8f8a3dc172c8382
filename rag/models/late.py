"""An Embedder that is made when it is first needed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from footnote.model import Definition
from rag.models.embedder import Embedder, Vectors


class LateEmbedder:
    """Stands for what ``make`` gives, made at the first call. A service that starts before anything
    is published loads no model, and by the first question there is an export to load."""

    def __init__(self, make: Callable[[], Embedder]) -> None:
        self._make = make
        self._made: Embedder | None = None
        self._making = threading.Lock()

    @property
    def made(self) -> Embedder:
        """The Embedder itself."""
        with self._making:
            if self._made is None:
                self._made = self._make()
            return self._made

    @property
    def definition(self) -> Definition:
        return self.made.definition

    @property
    def dimension(self) -> int:
        return self.made.dimension

    @property
    def window(self) -> int:
        return self.made.window

    def token_starts(self, text: str) -> Sequence[int]:
        return self.made.token_starts(text)

    def embed_documents(self, texts: Sequence[str]) -> Vectors:
        return self.made.embed_documents(texts)

    def embed_question(self, text: str) -> Vectors:
        return self.made.embed_question(text)

    def embed_questions(self, texts: Sequence[str]) -> Vectors:
        return self.made.embed_questions(texts)
