"""From a request to its rows: which model, which tokens, which limits."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from openlora.batcher import Batcher, Limits
from openlora.catalogue import Catalogue, Entry
from openlora.failures import Failure, bad_request, too_long, too_many_characters, unknown_model
from openlora.generation import Engine, Sampling, Tokens
from openlora.jobs import Ask, Event, Finished, Job, Piece
from openlora.schemas import Generation
from openlora.tally import Tally
from openlora.texts import GrowingText


@dataclass(frozen=True, slots=True)
class Service:
    """Everything the routes call. ``admin_token`` None turns loading and unloading off."""

    base: str
    base_folder: Path
    fingerprint: str
    started: int
    engine: Engine[Any]
    tokens: Tokens
    catalogue: Catalogue
    batcher: Batcher[Any]
    limits: Limits
    tally: Tally
    clock: Callable[[], float]
    admin_token: str | None = None

    def adapter(self, model: str | None) -> Entry | None:
        """What ``model`` names; None is the base.

        Raises:
            Failure: there is no such model.
        """
        if model is None or model == self.base:
            return None
        entry = self.catalogue.find(model)
        if entry is None:
            raise unknown_model(model)
        return entry

    def ask(
        self,
        body: Generation,
        adapter: Entry | None,
        prompt: Sequence[int],
        max_tokens: int | None,
        sampling: Sampling,
        *,
        echo: bool = False,
    ) -> Ask:
        """One row; without ``max_tokens`` it may fill the context.

        Raises:
            Failure: the prompt is none, or does not fit into the context with its reply.
        """
        context = self.engine.max_context
        wanted = max(1, context - len(prompt)) if max_tokens is None else max_tokens
        if not prompt:
            raise bad_request("The prompt is empty.", "prompt")
        self.check_tokens(prompt)
        if len(prompt) + wanted > context:
            raise too_long(context, len(prompt), wanted)
        return Ask(
            prompt=prompt,
            adapter=adapter,
            sampling=sampling,
            max_tokens=wanted,
            stops=body.stops,
            echo=echo,
            stream=body.stream,
            ignore_ends=body.ignore_eos,
            deadline=self.clock() + self.limits.deadline_seconds,
        )

    def check_tokens(self, prompt: Sequence[int]) -> None:
        """Raises Failure where a token is none of the model's."""
        if max(prompt, default=0) >= self.engine.vocabulary:
            raise bad_request("The prompt holds a token outside the vocabulary.", "prompt")

    def check_length(self, characters: int) -> None:
        """Whether a text of so many characters may fit, before any time is spent on it.

        Raises:
            Failure: it cannot.
        """
        if characters > self.engine.max_context * self.tokens.longest:
            raise too_many_characters(self.engine.max_context, characters)

    def run(self, asks: Sequence[Ask]) -> Running:
        """Hand rows to the batcher.

        Raises:
            Failure: too many wait already.
        """
        loop = asyncio.get_running_loop()
        events: asyncio.Queue[tuple[int, Event]] = asyncio.Queue()

        def job(index: int, ask: Ask) -> Job:
            def tell(event: Event) -> None:
                loop.call_soon_threadsafe(events.put_nowait, (index, event))

            return Job(ask, tell, GrowingText(self.tokens.decode, ask.stops), self.engine.ends)

        jobs = [job(index, ask) for index, ask in enumerate(asks)]
        self.batcher.submit(jobs)
        return Running(self.batcher, jobs, events)


@dataclass(slots=True)
class Whole:
    """All of one row's reply."""

    text: str
    tokens: tuple[Any, ...]
    prompt: tuple[Any, ...]
    finished: Finished


@dataclass(slots=True)
class Running:
    """Rows under way, and what they say, with the index of the row."""

    batcher: Batcher[Any]
    jobs: list[Job]
    queue: asyncio.Queue[tuple[int, Event]]

    async def events(self) -> AsyncGenerator[tuple[int, Piece | Finished], None]:
        """Until every row is finished. Whoever stops listening ends the rows.

        Raises:
            Failure: a row failed; the others are ended.
        """
        left = len(self.jobs)
        try:
            while left:
                index, event = await self.queue.get()
                if isinstance(event, Failure):
                    raise event
                left -= isinstance(event, Finished)
                yield index, event
        finally:
            if left:
                self.batcher.cancel(self.jobs)

    async def whole(self) -> list[Whole]:
        """Every row's reply, in their order."""
        pieces: dict[int, list[Piece]] = {index: [] for index in range(len(self.jobs))}
        finished: dict[int, Finished] = {}
        async with contextlib.aclosing(self.events()) as events:
            async for index, event in events:
                if isinstance(event, Finished):
                    finished[index] = event
                else:
                    pieces[index].append(event)
        return [
            Whole(
                "".join(piece.text for piece in said),
                tuple(token for piece in said for token in piece.tokens),
                tuple(token for piece in said for token in piece.prompt),
                finished[index],
            )
            for index, said in pieces.items()
        ]
