"""Every view of the page in a real browser, over a Datanet that is paid on a real chain."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, FilePayload, Page, Route, expect

from footnote.addresses import parse_address
from rag.models.embedder import SentenceTransformerEmbedder
from rewards.settler import Spending
from tests.browsing import SIZES, watched
from tests.conftest import CHECKOUT
from tests.money import Pool
from tests.stage import COPY, DATANET, QUESTION, Stage, asked, staged

AXE = CHECKOUT / "node_modules" / "axe-core" / "axe.min.js"
BOTH = list(SIZES)
HOLDS = "Every step that could be looked at holds."


@pytest.fixture(scope="module")
def stage(
    tmp_path_factory: pytest.TempPathFactory,
    embedder: SentenceTransformerEmbedder,
    instant_pool: Pool,
) -> Iterator[Stage]:
    with staged(tmp_path_factory.mktemp("views"), embedder, instant_pool) as running:
        yield running


@pytest.fixture(params=BOTH)
def page(request: pytest.FixtureRequest, browser: Browser, stage: Stage) -> Iterator[Page]:
    with watched(browser, stage.service.url, request.param) as opened:
        yield opened


def evidence(stage: Stage, citation: str = "cit_1") -> str:
    return f"/evidence/{stage.answer['id']}/{citation}"


def steps_of(page: Page) -> list[str]:
    """The steps of the check once it is over."""
    page.get_by_role("button", name="Verify it in this browser").click()
    page.locator(".steps .verdict").wait_for()
    return page.locator(".steps li").all_inner_texts()


# Evidence and its receipt


def test_a_settled_receipt_is_checked_step_by_step(page: Page, stage: Stage) -> None:
    page.goto(evidence(stage))
    receipt = page.locator("section.card", has_text="Receipt 0 of handbook")
    expect(receipt).to_contain_text("receipts 0 to 2, final")
    expect(receipt).to_contain_text("2 hashes up to the batch's root")
    receipt.get_by_text("What was signed").click()
    expect(receipt).to_contain_text("citationsRoot")
    *steps, verdict = steps_of(page)
    assert verdict == HOLDS
    assert len(steps) == 8 + len(stage.answer["citations"])
    assert all(": holds" in step for step in steps), steps
    assert "whom the service names as a signer" in steps[-2]


def test_a_wallet_asks_registry_and_pool_for_what_the_service_says(
    page: Page, stage: Stage
) -> None:
    stage.wallet(page.context)
    page.goto(evidence(stage))
    *_, signature, batch, verdict = steps_of(page)
    assert "as the registry on chain has it" in signature
    assert "as the pool on chain confirms" in batch
    assert verdict == HOLDS


def test_a_receipt_that_waits_says_so(page: Page, stage: Stage) -> None:
    page.goto(f"/evidence/{stage.waiting['id']}/cit_1")
    expect(page.locator("aside")).to_contain_text("Pending: waits for its batch")
    *_, batch, verdict = steps_of(page)
    assert "not looked at not in a batch yet: pending" in batch
    assert verdict == HOLDS


def flipped(text: str) -> str:
    """With its last sign changed."""
    last = text[-1]
    return text[:-1] + ("1" if last == "0" else "0" if last.isdigit() else chr(ord(last) ^ 1))


def changed(body: Any, path: list[Any]) -> Any:
    """``body`` with the value at ``path`` changed as little as can be."""
    body = json.loads(json.dumps(body))
    at = body
    for name in path[:-1]:
        at = at[name]
    value = at[path[-1]]
    if isinstance(value, bool) or value is None:
        at[path[-1]] = not value
    elif isinstance(value, int):
        at[path[-1]] = value + 1
    else:
        at[path[-1]] = flipped(value)
    return body


@pytest.mark.parametrize(
    ("what", "path", "fails"),
    [
        ("receipts", ["signature"], "The signature"),
        ("receipts", ["proof", 1], "The batch"),
        ("receipts", ["batch", "receipts_root"], "The batch"),
        ("receipts", ["lines", 0, "amount"], "The lines"),
        ("receipts", ["lines", 1, "share_bps"], "Every amount"),
        ("receipts", ["message", "fee"], "The receipt"),
        ("receipts", ["policy", "price_in"], "Policy"),
        ("answers", ["text"], "Question and answer"),
        ("answers", ["citations", 1, "cited_text"], "cit_2"),
        ("texts", [], "cit_1"),
    ],
)
def test_a_change_of_anything_fails_before_everybodys_eyes(
    browser: Browser, stage: Stage, what: str, path: list[Any], fails: str
) -> None:
    def told(route: Route) -> None:
        response = route.fetch()
        if what == "texts":
            route.fulfill(response=response, body=response.text() + " ")
        else:
            route.fulfill(response=response, json=changed(response.json(), path))

    with watched(browser, stage.service.url) as page:
        page.goto(evidence(stage))
        expect(page.locator("aside")).to_contain_text("Reckoned in your browser")
        page.route(f"**/v1/**{what}/**", told)
        *steps, verdict = steps_of(page)
        assert "does not hold" in verdict
        failed = [step for step in steps if ": FAILED" in step]
        assert any(fails in step for step in failed), steps
        expect(page.locator(".steps .verdict")).to_have_attribute("data-passed", "false")


CHECK_EACH = """
async ({ receipt, answer, texts, signers }) => {
  const { check } = await import("/static/lib/receipt.js");
  const id = receipt.digest;
  const holds = async (changed) => {
    const given = { id, answer, textOf: async (version) => texts[version], signers, chain: null };
    for await (const step of check(changed, given)) if (step.passed === false) return false;
    return true;
  };
  const unnoticed = [];
  const walk = async (value, path) => {
    if (value !== null && typeof value === "object") {
      for (const name of Object.keys(value)) await walk(value[name], [...path, name]);
      return;
    }
    const others = typeof value === "number" ? [value + 1]
      : typeof value === "boolean" ? [!value]
      : value === null ? ["x"]
      : Array.from(value, (sign, i) => value.slice(0, i) +
          String.fromCharCode(sign.charCodeAt(0) ^ 1) + value.slice(i + 1));
    for (const other of others) {
      const copy = structuredClone(receipt);
      let at = copy;
      for (const name of path.slice(0, -1)) at = at[name];
      at[path.at(-1)] = other;
      if (await holds(copy)) unnoticed.push(path.join("."));
    }
  };
  if (!(await holds(receipt))) return ["the receipt itself"];
  for (const part of ["domain", "message", "digest", "signature", "signer", "proof"]) {
    await walk(receipt[part], [part]);
  }
  await walk(receipt.lines[0], ["lines", "0"]);
  await walk(receipt.lines.at(-1), ["lines", String(receipt.lines.length - 1)]);
  for (const part of ["policy", "verifier", "model"]) await walk(receipt[part], [part]);
  for (const name of ["batch_id", "first", "last", "receipts_root"]) {
    await walk(receipt.batch[name], ["batch", name]);
  }
  for (const name of ["chain_id", "genesis_hash", "pool", "deployment_tx"]) {
    await walk(receipt.ledger[name], ["ledger", name]);
  }
  return unnoticed;
}
"""


def test_no_single_sign_of_a_receipt_can_change_unnoticed(browser: Browser, stage: Stage) -> None:
    http = stage.service.http
    receipt = http.get(f"/v1/receipts/{stage.answer['receipt']['id']}").json()
    versions = {one["source"]["version"] for one in stage.answer["citations"]}
    texts = {v: http.get(f"/v1/datanets/{DATANET}/texts/{v}").text for v in versions}
    with watched(browser, stage.service.url) as page:
        page.goto("/")
        given = {
            "receipt": receipt, "answer": stage.answer, "texts": texts,
            "signers": [receipt["signer"]],
        }  # fmt: skip
        assert page.evaluate(CHECK_EACH, given) == []


# Asking, evidence at hand, and passing on


def test_hovering_or_tapping_a_number_shows_its_evidence(page: Page, stage: Stage) -> None:
    page.goto(f"/answers/{stage.answer['id']}")
    marker, card = page.locator("a.marker").first, page.locator(".evidence-card")
    if page.viewport_size and page.viewport_size["width"] < 800:
        marker.tap()
    else:
        marker.hover()
    first = stage.answer["citations"][0]
    expect(card).to_contain_text(first["cited_text"])
    expect(card).to_contain_text(first["contributors"][0]["name"])
    expect(card).to_contain_text("earns")
    page.keyboard.press("Escape")
    expect(card).to_have_count(0)


def test_an_answer_is_passed_on_with_its_citations(browser: Browser, stage: Stage) -> None:
    allowed = ["clipboard-read", "clipboard-write"]
    with watched(browser, stage.service.url, permissions=allowed) as page:
        page.goto(f"/answers/{stage.answer['id']}")

        def copied(button: str) -> str:
            page.get_by_role("button", name=button).click()
            expect(page.locator("#spoken")).to_have_text("Copied.")
            return str(page.evaluate("navigator.clipboard.readText()"))

        assert copied("Copy link") == f"{stage.service.url}/answers/{stage.answer['id']}"
        told = copied("Copy as Markdown")
        for one in stage.answer["citations"]:
            assert f"[^{one['marker']}]: “{one['cited_text'][:20]}" in told
            assert f"{stage.service.url}/evidence/{stage.answer['id']}/{one['id']}" in told
        entries = copied("Copy as BibTeX")
        assert entries.count("@misc{") == len(
            {one["source"]["version"] for one in stage.answer["citations"]}
        )
        assert stage.answer["citations"][0]["source"]["version"] in entries
        assert entries.count("{") == entries.count("}")


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


def test_documents_are_dropped_upon_the_page(browser: Browser, stage: Stage) -> None:
    with watched(browser, stage.service.url) as page:
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


def test_an_owner_rules_on_near_duplicates(browser: Browser, stage: Stage) -> None:
    with watched(browser, stage.service.url) as page:
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


def test_a_statement_is_saved_with_its_proofs(browser: Browser, stage: Stage) -> None:
    with watched(browser, stage.service.url) as page:
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


def test_a_contributor_claims_with_a_wallet_and_only_their_own(
    browser: Browser, stage: Stage
) -> None:
    account = parse_address(stage.contributor)
    pool = stage.at.pool
    credit = pool.chain.credits(pool.ledger, [account], "latest")[account]
    before = pool.chain.balance(account)
    assert credit > 0
    with watched(browser, stage.service.url) as page:
        stage.wallet(page.context, "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed")
        page.goto(f"/contributors/{stage.contributor}")
        page.get_by_role("button", name="Claim with my wallet").click()
        expect(page.get_by_text("only it can claim")).to_be_visible()
    with watched(browser, stage.service.url) as page:
        stage.wallet(page.context)
        page.goto(f"/contributors/{stage.contributor}")
        page.get_by_role("button", name="Show the transaction to paste").click()
        data = page.locator("dd", has_text="0x1e83409a").inner_text()
        assert data == "0x1e83409a" + "0" * 24 + stage.contributor[2:].lower()
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


# For everybody


def views(stage: Stage) -> list[str]:
    return [
        "/", "/datanets", f"/datanets/{DATANET}", f"/datanets/{DATANET}/documents/{COPY}",
        evidence(stage), f"/answers/{stage.answer['id']}", "/contributors",
        f"/contributors/{stage.contributor}", "/operator",
    ]  # fmt: skip


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_axe_finds_nothing_serious(browser: Browser, stage: Stage, colours: str) -> None:
    axe = AXE.read_text("utf-8")
    found = []
    with watched(browser, stage.service.url, color_scheme=colours) as page:
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
