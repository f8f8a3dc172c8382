"""Which adapter answers a question, and what to try where the model server does not know it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from footnote.errors import Broken, NotFound
from footnote.model import Definition
from rag.adapters.admin import AdapterAdmin, NoAdmin
from rag.adapters.store import AdapterStore, looks_like_id
from rag.models.llm import Declined, check_adapter


@dataclass(frozen=True, slots=True)
class Route:
    """A name for the model server, and what a receipt says of it; both None for the base."""

    name: str | None
    definition: Definition | None


BASE = Route(None, None)
_log = logging.getLogger(__name__)
Drafted = TypeVar("Drafted")


class AdapterRouter:
    """Routes by Datanet.

    Where a Datanet has adapters of its own only they answer for it. Where it has none, any name
    that the model server knows does, and its receipt names it alone; but none of the form of a
    Datanet's adapter, which may be another's or one that was removed.

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
            NotFound: the Datanet has no such adapter, or the model server does not know it.
            Broken: the model server cannot serve it.
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
        except (NotFound, Declined) as error:
            first = error
        may_fall_back = asked is None and own.fallback
        try:
            if isinstance(first, Declined):
                raise first
            self._admin.load(adapter.adapter_id, self._folder / adapter.adapter_id)
            return draft(route.name), route
        except (NotFound, Broken) as error:
            if not may_fall_back:
                raise
            _log.warning("the base answers for %s: %s", adapter.adapter_id, error)
        return draft(None), BASE

    @staticmethod
    def _unlisted(
        asked: str | None, draft: Callable[[str | None], Drafted]
    ) -> tuple[Drafted, Route]:
        if asked is None:
            return draft(None), BASE
        named = Definition({"kind": "adapter", "name": check_adapter(asked)})
        if looks_like_id(asked):
            raise NotFound(
                "the Datanet has no such adapter", "list them with footnote adapters list"
            )
        return draft(asked), Route(asked, named)
