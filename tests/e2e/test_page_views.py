"""Datanets, contributors and the operator's view in a real browser, over a paid Datanet."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, FilePayload, Page, Route, expect

from cli.stack import give_coin
from footnote.addresses import parse_address
from rag.models.embedder import SentenceTransformerEmbedder
from rewards.settler import Spending
from tests.browsing import SIZES, watched
from tests.stage import COPY, DATANET, QUESTION, Stage, asked


@pytest.fixture(params=list(SIZES))
def page(request: pytest.FixtureRequest, browser: Browser, stage: Stage) -> Iterator[Page]:
    with watched(browser, stage.service.url, request.param) as opened:
        yield opened


# A Datanet


def test_a_datanet_shows_what_it_holds_owes_and_answered(page: Page) -> None:
    page.goto("/datanets")
    page.get_by_role("link", name=DATANET, exact=True).click()
    expect(page.locator("h1")).to_have_text(DATANET)
    expect(page.locator(".facts")).to_contain_text("28 documents")
    activity = page.get_by_role("region", name="Activity")
    expect(activity).to_contain_text("In the pool")
    expect(activity).to_contain_text("more answers, as dear as those so far")
    activity.get_by_text("As a table").first.click()
    expect(activity.locator("tbody").first).to_contain_text(re.compile(r"\d+ answers"))
    expect(page.get_by_role("region", name="Contributors")).to_contain_text("Freya Lindholm")


def test_documents_are_searched_filtered_and_opened(page: Page) -> None:
    page.goto(f"/datanets/{DATANET}")
    rows = page.get_by_role("region", name="Documents").locator("tbody tr")
    expect(rows).to_have_count(28)
    page.get_by_label("Search").fill("merkle")
    expect(rows).to_have_count(1)
    page.get_by_label("Search").fill("")
    page.get_by_label("Only with flags").check()
    copy = rows.filter(has_text=COPY)
    expect(copy).to_contain_text("shares text with 1 other")
    copy.get_by_role("link").click()
    expect(page.locator("h1")).to_have_text("Shares, told again")
    expect(page.locator("aside")).to_contain_text("newest")


def test_documents_come_a_page_at_a_time(
    browser: Browser, stage: Stage, tmp_path: Path, embedder: SentenceTransformerEmbedder
) -> None:
    def told(route: Route) -> None:
        """As if there were 100,000."""
        first = int(route.request.url.partition("cursor=")[2] or 0)
        flags = {"near_duplicates": 0, "sentences_of_others": 0, "marks": {}}
        data = [
            {"id": f"{n:06}", "version": "sha256:" + "0" * 64, "title": f"Paper {n}", "url": None,
             "license": "CC0-1.0", "object": "document", "flags": flags}
            for n in range(first, first + 50)
        ]  # fmt: skip
        after = first + 50
        route.fulfill(json={"object": "list", "snapshot": "sha256:", "data": data,
                            "next": str(after) if after < 100_000 else None})  # fmt: skip

    with watched(browser, stage.service.url) as page:
        page.route("**/documents?**", told)
        page.goto(f"/datanets/{DATANET}")
        rows = page.get_by_role("region", name="Documents").locator("tbody tr")
        expect(rows).to_have_count(50)
        page.get_by_role("button", name="More documents").click()
        expect(rows).to_have_count(100)
        expect(page.get_by_text("100 documents shown, there are more.")).to_be_visible()


def test_an_owner_uploads_sees_progress_and_why_something_was_refused(
    page: Page, stage: Stage, request: pytest.FixtureRequest
) -> None:
    name = f"mine-{request.node.callspec.params['page']}"
    page.goto("/datanets")
    page.get_by_text("Begin a new Datanet").click()
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("Contributor").fill(stage.contributor)
    files: list[tuple[str, bytes]] = [
        ("tower.md", b"# The tower\n\nThe water tower of Brenn holds ninety tonnes."),
        ("broken.pdf", b"%PDF-1.7 and nothing else"),
    ]
    page.get_by_label("Drop documents here").set_input_files(
        [FilePayload(name=file, mimeType="text/plain", buffer=data) for file, data in files]
    )
    expect(page.get_by_text("2 files")).to_be_visible()
    page.get_by_role("button", name="Upload").click()
    outcome = page.locator(".outcome")
    expect(outcome).to_contain_text("1 added", timeout=60_000)
    expect(outcome.locator("li")).to_contain_text("broken.pdf")
    page.get_by_role("link", name=f"Ask {name}").click()
    page.get_by_label("Question").fill("How much does the water tower of Brenn hold?")
    page.get_by_label("Question").press("Enter")
    expect(page.locator(".answer blockquote").first).to_contain_text("ninety tonnes")
    page.locator(".answer .citations a").first.click()
    expect(page.locator("mark")).to_contain_text("ninety tonnes")


def test_documents_are_dropped_upon_the_page(page: Page) -> None:
    page.goto(f"/datanets/{DATANET}")
    page.get_by_text("Upload documents").click()
    data = page.evaluate_handle(
        """() => {
          const data = new DataTransfer();
          data.items.add(new File(["A crane stands on the quay."], "crane.md"));
          return data;
        }"""
    )
    page.locator(".drop").dispatch_event("drop", {"dataTransfer": data})
    expect(page.get_by_text("1 file, 1 KiB: crane.md")).to_be_visible()


def test_what_an_upload_refused_stays_on_the_datanets_page(browser: Browser, stage: Stage) -> None:
    with watched(browser, stage.service.url) as page:
        page.goto("/datanets/mine-desktop")
        page.get_by_text("Upload documents").click()
        page.get_by_label("Contributor", exact=True).fill(stage.contributor)
        files = [("newt.md", b"A newt lives in the pond of Brenn."), ("bad.pdf", b"%PDF-1.7")]
        page.get_by_label("Drop documents here").set_input_files(
            [FilePayload(name=file, mimeType="text/plain", buffer=data) for file, data in files]
        )
        page.get_by_role("button", name="Upload").click()
        expect(page.locator(".outcome li")).to_contain_text("bad.pdf", timeout=60_000)
        expect(page.locator(".facts")).to_contain_text("2 documents")
        expect(page.locator(".outcome li")).to_contain_text("bad.pdf")


def test_a_document_shows_no_version_that_it_never_had(browser: Browser, stage: Stage) -> None:
    other = stage.service.http.get(f"/v1/datanets/{DATANET}/documents/shares.md").json()["version"]
    with watched(browser, stage.service.url) as page:
        for version in (other, "../../../receipts/0x00"):
            page.goto(f"/datanets/{DATANET}/documents/merkle-proofs.md?version={version}")
            expect(page.get_by_role("alert")).to_contain_text("never had that version")


def test_a_view_that_was_left_shows_nowhere(browser: Browser, stage: Stage) -> None:
    with watched(browser, stage.service.url) as page:
        slow: list[Route] = []
        page.route(f"**/v1/datanets/{DATANET}", lambda route: slow.append(route))
        page.goto("/datanets")
        page.get_by_role("link", name=DATANET, exact=True).click()
        page.get_by_role("link", name="Operator").click()
        expect(page.locator("h1")).to_contain_text("Operator")
        slow[0].continue_()
        page.wait_for_load_state("networkidle")
        expect(page.locator("h1")).to_contain_text("Operator")
        expect(page.locator(".facts")).to_have_count(0)


def test_an_owner_rules_on_near_duplicates(page: Page) -> None:
    page.goto(f"/datanets/{DATANET}")
    page.get_by_text("Review near-duplicates").click()
    card = page.locator("article", has_text="First: shares.md")
    expect(card).to_contain_text(f"{COPY} and shares.md share")
    card.get_by_role("button", name="They are unrelated").click()
    ruled = page.get_by_text("are ruled unrelated")
    expect(ruled).to_be_visible(timeout=60_000)
    page.get_by_role("button", name="Withdraw").click()
    expect(card).to_be_visible(timeout=60_000)


# Whoever is paid


def test_a_contributor_sees_each_passage_that_earned(page: Page, stage: Stage) -> None:
    page.goto("/contributors")
    page.get_by_label("Address of a contributor").fill(stage.contributor)
    page.get_by_role("button", name="Show").click()
    expect(page.locator("h1")).to_contain_text(
        stage.answer["citations"][0]["contributors"][0]["name"]
    )
    earned = stage.service.http.get(f"/v1/contributors/{stage.contributor}").json()
    numbers = page.locator(".numbers")
    for name in ("pending", "settled", "claimable"):
        expect(
            numbers.locator(f'.money[title$="= {earned[name]} base units"]').first
        ).to_be_visible()
    passages = page.get_by_role("region", name="Cited passages").locator("tbody tr")
    expect(passages).to_have_count(len(earned["spans"]))
    passages.last.get_by_role("link").first.click()
    expect(page.locator("mark")).to_be_visible()


def test_a_statement_is_saved_with_its_proofs(page: Page, stage: Stage) -> None:
    page.goto(f"/contributors/{stage.contributor}")
    with page.expect_download() as csv_saved:
        page.get_by_role("button", name="Download CSV").click()
    assert csv_saved.value.suggested_filename == f"statement-{stage.contributor}.csv"
    rows = list(csv.DictReader(io.StringIO(csv_saved.value.path().read_text())))
    with page.expect_download() as json_saved:
        page.get_by_role("button", name="Download JSON").click()
    lines = json.loads(json_saved.value.path().read_text())["lines"]
    assert [one["receipt"] for one in lines] == [row["receipt"] for row in rows]
    assert any(one["proof"] for one in lines)


@pytest.mark.parametrize(("size", "number"), [("desktop", 0), ("phone", 1)])
def test_a_contributor_claims_with_a_wallet_and_only_their_own(
    browser: Browser, stage: Stage, size: str, number: int
) -> None:
    contributor = stage.answer["citations"][0]["contributors"][number]["address"]
    account, pool = parse_address(contributor), stage.at.pool
    give_coin(pool.url, contributor, 10**18)
    credit = pool.chain.credits(pool.ledger, [account], "latest")[account]
    before = pool.chain.balance(account)
    assert credit > 0
    with watched(browser, stage.service.url, size) as page:
        stage.wallet(page.context, "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed")
        page.goto(f"/contributors/{contributor}")
        page.get_by_role("button", name="Claim with my wallet").click()
        expect(page.get_by_text("only it can claim")).to_be_visible()
    with watched(browser, stage.service.url, size) as page:
        stage.wallet(page.context, contributor)
        page.goto(f"/contributors/{contributor}")
        page.get_by_role("button", name="Show the transaction to paste").click()
        data = page.locator("dd", has_text="0x1e83409a").inner_text()
        assert data == "0x1e83409a" + "0" * 24 + contributor[2:].lower()
        page.get_by_role("button", name="Claim with my wallet").click()
        expect(page.get_by_text("Claimed.")).to_be_visible(timeout=20_000)
    assert pool.chain.credits(pool.ledger, [account], "latest")[account] == 0
    assert pool.chain.balance(account) > before + credit - 10**15, "less the gas"


# Whoever runs it


def test_an_operator_sees_the_queue_the_batches_the_audit_and_what_is_degraded(
    page: Page,
) -> None:
    page.goto("/operator")
    expect(page.get_by_role("region", name="Health")).to_contain_text("redis not set up")
    here = page.get_by_role("region", name=DATANET)
    expect(here).to_contain_text("wait")
    expect(here).to_contain_text("final batch")
    expect(page.get_by_role("region", name="Batches")).to_contain_text("0 to 2")
    expect(page.get_by_role("region", name="Fees")).to_contain_text("coin")
    expect(page.get_by_role("region", name="Audits")).to_contain_text("journal and chain agree")


def test_a_held_batch_says_why_and_what_to_do(browser: Browser, stage: Stage) -> None:
    asked(stage.service, QUESTION)
    replace(stage.at.settler(), spending=Spending(1)).settle(stage.at.registration)
    with watched(browser, stage.service.url) as page:
        page.goto("/operator")
        expect(page.get_by_role("alert")).to_contain_text("raise FOOTNOTE_MAX_FEE_GWEI")
    stage.at.settle()
