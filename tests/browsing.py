"""A real browser at a running service: it may complain of nothing, and reach nobody else."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    expect,
    sync_playwright,
)

expect.set_options(timeout=20_000)  # a machine that does much else is slow, not wrong

SIZES: dict[str, dict[str, Any]] = {
    "desktop": {"viewport": {"width": 1280, "height": 900}},
    "phone": {"viewport": {"width": 390, "height": 800}, "has_touch": True},
}


def chromium() -> str | None:
    """Where the system's browser is."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


@contextmanager
def browsing() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        yield running
        running.close()


@contextmanager
def watched(browser: Browser, url: str, size: str = "desktop", **more: Any) -> Iterator[Page]:
    """A fresh page; afterwards nothing was complained of and no other host was asked."""
    context = browser.new_context(base_url=url, **SIZES[size], **more)
    with watching(context, url):
        yield context.new_page()
        context.close()


@contextmanager
def watching(context: BrowserContext, url: str) -> Iterator[None]:
    complaints: list[str] = []
    strangers: list[str] = []

    def heard(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            complaints.append(message.text)

    def asked(sent: Request) -> None:
        parts = urlsplit(sent.url)
        if parts.scheme != "blob" and parts.netloc != urlsplit(url).netloc:
            strangers.append(sent.url)

    context.on("console", heard)
    context.on("weberror", lambda error: complaints.append(str(error.error)))
    context.on("request", asked)
    yield
    assert complaints == []
    assert strangers == []
