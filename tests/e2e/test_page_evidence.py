"""Evidence and its receipt, checked in a real browser over a Datanet that a real chain pays."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.browsing import SIZES, watched
from tests.stage import DATANET, Stage

HOLDS = "Every step that could be looked at holds."


@pytest.fixture(params=list(SIZES))
def page(request: pytest.FixtureRequest, browser: Browser, stage: Stage) -> Iterator[Page]:
    with watched(browser, stage.service.url, request.param) as opened:
        yield opened


def steps_of(page: Page) -> list[str]:
    """The steps of the check once it is over."""
    page.get_by_role("button", name="Verify it in this browser").click()
    page.locator(".steps .verdict").wait_for()
    return page.locator(".steps li").all_inner_texts()


def test_a_settled_receipt_is_checked_step_by_step(page: Page, stage: Stage) -> None:
    page.goto(stage.evidence)
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
    page.goto(stage.evidence)
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
        page.goto(stage.evidence)
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
