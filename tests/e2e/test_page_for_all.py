"""The page for everybody: axe, the keyboard alone, a phone, a slow line."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, expect

from tests.browsing import watched
from tests.conftest import CHECKOUT
from tests.stage import COPY, DATANET, QUESTION, Stage

AXE = CHECKOUT / "node_modules" / "axe-core" / "axe.min.js"
HOLDS = "Every step that could be looked at holds."


def views(stage: Stage) -> list[str]:
    return [
        "/", "/datanets", f"/datanets/{DATANET}", f"/datanets/{DATANET}/documents/{COPY}",
        stage.evidence, f"/answers/{stage.answer['id']}", "/contributors",
        f"/contributors/{stage.contributor}", "/operator",
    ]  # fmt: skip


@pytest.mark.parametrize(("colours", "size"), [("light", "desktop"), ("dark", "phone")])
def test_axe_finds_nothing_serious(browser: Browser, stage: Stage, colours: str, size: str) -> None:
    axe = AXE.read_text("utf-8")
    found = []
    with watched(browser, stage.service.url, size, color_scheme=colours) as page:
        for view in views(stage):
            page.goto(view)
            page.wait_for_load_state("networkidle")
            page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
            if view == "/":
                page.get_by_label("Question").fill(QUESTION)
                page.get_by_role("button", name="Ask").click()
                page.locator(".answer footer").wait_for()
            page.wait_for_load_state("networkidle")
            page.evaluate(axe)
            said = page.evaluate("axe.run()")
            found += [
                (view, one["id"], one["nodes"][0]["html"][:120])
                for one in said["violations"]
                if one["impact"] in ("serious", "critical")
            ]
    assert found == []


def test_everything_works_by_keyboard_alone(browser: Browser, stage: Stage) -> None:
    with watched(browser, stage.service.url) as page:

        def tab_to(role: str, name: str | re.Pattern[str], most: int = 80) -> None:
            wanted = page.get_by_role(role, name=name).first  # type: ignore[arg-type]
            for _ in range(most):
                page.keyboard.press("Tab")
                if wanted.evaluate("(one) => one === document.activeElement"):
                    return
            raise AssertionError(f"the keyboard does not reach {name}")

        page.goto(f"/?datanet={DATANET}")
        page.get_by_role("option", name=DATANET).wait_for(state="attached")
        tab_to("textbox", "Question")
        page.keyboard.type(QUESTION)
        page.keyboard.press("Enter")
        page.locator(".answer footer").wait_for()
        tab_to("link", re.compile("Evidence 1"))
        expect(page.locator(".evidence-card")).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.locator(".evidence-card")).to_have_count(0)
        page.keyboard.press("Enter")
        expect(page.locator("mark")).to_be_visible()
        tab_to("button", "Verify it in this browser")
        page.keyboard.press("Enter")
        expect(page.locator(".steps .verdict")).to_have_text(HOLDS)
        page.goto(f"/datanets/{DATANET}")
        page.get_by_text("28 documents shown").wait_for()
        tab_to("searchbox", "Search")
        page.keyboard.type("merkle")
        rows = page.get_by_role("region", name="Documents").locator("tbody tr")
        expect(rows).to_have_count(1)
        tab_to("link", re.compile("Merkle"))
        page.keyboard.press("Enter")
        expect(page.locator("h1")).to_contain_text("Merkle")
        page.goto(f"/contributors/{stage.contributor}")
        page.get_by_role("region", name="Statement").wait_for()
        tab_to("button", "Download CSV")
        with page.expect_download():
            page.keyboard.press("Enter")
        page.goto("/operator")
        page.get_by_role("region", name="Batches").wait_for()
        tab_to("button", "Look again")
        page.keyboard.press("Enter")


def test_nothing_is_wider_than_a_phone(browser: Browser, stage: Stage) -> None:
    with watched(browser, stage.service.url, "phone") as page:
        for view in views(stage):
            page.goto(view)
            page.wait_for_load_state("networkidle")
            wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
            assert wide <= 0, view


def test_the_first_view_is_small_and_quick(browser: Browser, stage: Stage) -> None:
    sizes: dict[str, int] = {}
    with watched(browser, stage.service.url) as page:
        page.on(
            "response",
            lambda response: (
                sizes.update({response.url: int(response.headers["content-length"])})
                if "/static/" in response.url or response.url.endswith("/")
                else None
            ),
        )
        page.goto("/")
        page.get_by_role("button", name="Ask").wait_for()
    assert 5_000 < sum(sizes.values()) <= 150_000, sizes
    assert not any("vendor" in url for url in sizes)
