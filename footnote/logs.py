"""Logs: one line for each thing that happened, with the id of the request that it belongs to. The
door of structlog.

Standard loggers everywhere, shaped here. What a person asked, wrote or sent is never logged.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import structlog
from structlog.contextvars import bound_contextvars, merge_contextvars
from structlog.types import EventDict, Processor, WrappedLogger

LogFormat = Literal["text", "json"]


def set_up_logs(form: LogFormat, level: int = logging.WARNING) -> None:
    """Send everything from ``level`` on to standard error, as lines to read or as JSON."""
    shared: list[Processor] = [
        merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.stdlib.ExtraAdder(),
        structlog.processors.format_exc_info,  # never with the values of variables
    ]
    last: Processor = structlog.processors.JSONRenderer() if form == "json" else _as_line
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, last],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)


@contextmanager
def of_request(request_id: str) -> Iterator[None]:
    """Mark every line that is logged within, in threads too that are started for it."""
    with bound_contextvars(request_id=request_id):
        yield


def _as_line(_: WrappedLogger, __: str, event: EventDict) -> str:
    """Time, level, what happened, then the rest as name=value."""
    told = event.pop("exception", None)
    event.pop("logger", None)
    head = f"{event.pop('timestamp')} {event.pop('level').upper()} {event.pop('event')}"
    rest = "".join(f" {name}={value}" for name, value in event.items())
    return _on_one_line(head + rest) + (f"\n{told}" if told else "")


def _on_one_line(text: str) -> str:
    """Whatever came from outside can neither begin a line of its own nor colour a terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
