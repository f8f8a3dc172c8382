"""Screenshots of each view, light and dark, for the docs.

python -m tests.screenshots docs/images
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import Literal

from playwright.sync_api import Page, ViewportSize

from cli.stack import Stack, clean_environment
from rag.models.embedder import SentenceTransformerEmbedder
from tests.browsing import browsing
from tests.conftest import start_chain
from tests.money import InstantChain, Pool, deployed
from tests.stage import COPY, DATANET, QUESTION, Stage, staged

SIZE: ViewportSize = {"width": 1100, "height": 760}
MODES: tuple[Literal["light", "dark"], ...] = ("light", "dark")


def views(stage: Stage) -> dict[str, str]:
    """Addresses by the name of the picture."""
    return {
        "ask": f"/?datanet={DATANET}",
        "evidence": stage.evidence,
        "datanets": "/datanets",
        "datanet": f"/datanets/{DATANET}",
        "document": f"/datanets/{DATANET}/documents/{COPY}",
        "contributor": f"/contributors/{stage.contributor}",
        "operator": "/operator",
    }


def main() -> None:
    """Write ``<view>-<mode>.png`` for each."""
    target = Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    embedder = SentenceTransformerEmbedder(for_questions=True)
    with tempfile.TemporaryDirectory() as folder, _stack(folder) as stack:
        past = int(time.time()) - 10_000
        url = start_chain(stack, "--timestamp", str(past))
        pool: Pool = deployed(url, InstantChain(url, confirmations=0))
        home = Path(folder) / "home"
        home.mkdir()
        with staged(home, embedder, pool) as stage, browsing() as browser:
            for mode in MODES:
                context = browser.new_context(
                    viewport=SIZE,
                    base_url=stage.service.url,
                    color_scheme=mode,
                )
                stage.wallet(context)
                page = context.new_page()
                for name, address in views(stage).items():
                    page.goto(address)
                    _made_ready(page, name)
                    page.screenshot(path=target / f"{name}-{mode}.png")
                    print(f"{name}-{mode}.png")


def _stack(folder: str) -> Stack:
    return Stack(Path(folder) / "stack", clean_environment())


def _made_ready(page: Page, name: str) -> None:
    if name == "ask":
        page.get_by_label("Question").fill(QUESTION)
        page.get_by_role("button", name="Ask").click()
        page.locator(".answer footer").wait_for()
        page.locator("a.marker").first.hover()
    if name == "evidence":
        page.get_by_role("button", name="Verify").click()
        page.locator(".steps .verdict").wait_for()
    page.wait_for_load_state("networkidle")
    if name == "evidence":
        page.evaluate("scrollTo(0, 0)")


if __name__ == "__main__":
    main()
