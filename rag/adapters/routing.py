"""Which adapter answers a question, and what to try where the model server does not know it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from footnote.errors import NotFound
from footnote.model import Definition
from rag.adapters.admin import AdapterAdmin, NoAdmin
from rag.adapters.store import AdapterStore
from rag.models.llm import check_adapter


@dataclass(frozen=True, slots=True)
class Route:
    """A name for the model server, and what a receipt says of it; both None for the base."""

    name: str | None
    definition: Definition | None


BASE = Route(None, None)
Drafted = TypeVar("Drafted")


class AdapterRouter:
    """Routes by Datanet.

    Where a Datanet has adapters of its own only they answer for it. Where it has none, any name
    that the model server knows does, and its receipt names it alone.

    Args:
        seen_as: the store's folder as the model server sees it.
    """

    def __init__(
        self, store: AdapterStore, admin: AdapterAdmin | None = None, seen_as: Path | None = None
    ) -> None:
        self._store = store
        self._admin = admin or NoAdmin()
        self._folder = seen_as or store.folder

    def answer(
        self, datanet: str, asked: str | None, draft: Callable[[str | None], Drafted]
    ) -> tuple[Drafted, Route]:
        """What ``draft`` makes with the adapter for a question, and which it was.

        Raises:
            NotFound: the Datanet has no such adapter, or the model server cannot serve it.
        """
        own = self._store.of(datanet)
        if not own.adapters:
            return self._unlisted(asked, draft)
        name = asked or own.default
        if name is None:
            return draft(None), BASE
        adapter = own.get(name)
        route = Route(adapter.adapter_id, adapter.definition)
        try:
            return draft(route.name), route
        except NotFound:
            self._admin.load(adapter.adapter_id, self._folder / adapter.adapter_id)
        try:
            return draft(route.name), route
        except NotFound:
            if asked is not None or not own.fallback:
                raise
        return draft(None), BASE

    @staticmethod
    def _unlisted(
        asked: str | None, draft: Callable[[str | None], Drafted]
    ) -> tuple[Drafted, Route]:
        if asked is None:
            return draft(None), BASE
        named = Definition({"kind": "adapter", "name": check_adapter(asked)})
        return draft(asked), Route(asked, named)
