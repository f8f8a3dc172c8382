"""Evidence and its receipt, checked in a real browser over a Datanet that a real chain pays."""

from __future__ import annotations

import json
import time
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
    assert len(steps) == 10 + len(stage.answer["citations"])
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
        ("receipts", ["ledger", "pool"], "The Ledger"),
        ("receipts", ["batch", "first"], "The batch"),
        ("answers", ["text"], "What is shown"),
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


SHOWN = [
    ["text"], ["question"], ["claims", 0, "text"], ["citations", 1, "cited_text"],
    ["citations", 1, "source", "document_id"], ["citations", 1, "source", "version"],
    ["citations", 1, "source_span", "end"], ["citations", 1, "reward", "amount"],
    ["citations", 1, "reward", "weight_ppm"], ["citations", 1, "verdict"],
    ["citations", 1, "contributors", 0, "address"], ["citations", 1, "contributors", 0, "amount"],
    ["citations", 1, "contributors", 0, "share_bps"], ["receipt", "seq"],
    ["claims", 0, "verdict"], ["refused"],
]  # fmt: skip
"""What of an answer a person sees, and a receipt signs."""


@pytest.mark.parametrize("path", SHOWN, ids=lambda path: ".".join(map(str, path)))
def test_what_a_person_sees_is_what_is_checked(
    browser: Browser, stage: Stage, path: list[Any]
) -> None:
    """The service lies from the first, and keeps to it."""

    def told(route: Route) -> None:
        route.fulfill(json=changed(route.fetch().json(), path))

    with watched(browser, stage.service.url) as page:
        page.route("**/v1/answers/**", told)
        page.goto(stage.evidence)
        *steps, verdict = steps_of(page)
        assert "does not hold" in verdict, steps


def test_a_service_that_lies_first_and_not_later_is_told_so(browser: Browser, stage: Stage) -> None:
    with watched(browser, stage.service.url) as page:
        wrong = ["citations", 0, "contributors", 0, "name"]  # which nobody signs
        page.route(
            "**/v1/answers/**",
            lambda route: route.fulfill(json=changed(route.fetch().json(), wrong)),
            times=1,
        )
        page.goto(stage.evidence)
        first, *_, verdict = steps_of(page)
        assert "What is shown is what the service says now: FAILED" in first
        assert "does not hold" in verdict


def test_a_registry_that_the_pool_does_not_name_is_not_believed(
    browser: Browser, stage: Stage
) -> None:
    def told(route: Route) -> None:
        body = route.fetch().json()
        body["ledger"]["registry"] = body["ledger"]["pool"]
        route.fulfill(json=body)

    with watched(browser, stage.service.url) as page:
        stage.wallet(page.context)
        page.route("**/v1/receipts/**", told)
        page.goto(stage.evidence)
        *steps, verdict = steps_of(page)
        failed = [one for one in steps if ": FAILED" in one]
        assert any("The Ledger" in one for one in failed), steps
        assert any("The signature" in one for one in failed), steps
        assert "does not hold" in verdict


TWIN = """
async ({ receipt, answer, texts, signers }) => {
  const { check } = await import("/static/lib/receipt.js");
  const given = { id: receipt.digest, answer, textOf: async (v) => texts[v], signers, chain: null };
  const failed = [];
  for await (const step of check(receipt, given)) {
    if (step.passed === false) failed.push(step.detail);
  }
  return failed;
}
"""
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
"""Of secp256k1 (SEC 2, 2.4.1)."""


def test_the_twin_of_a_signature_is_refused(browser: Browser, stage: Stage) -> None:
    given = to_check(stage)
    raw = bytes.fromhex(given["receipt"]["signature"][2:])
    twin = raw[:32] + (ORDER - int.from_bytes(raw[32:64])).to_bytes(32) + bytes([55 - raw[64]])
    with watched(browser, stage.service.url) as page:
        page.goto("/")
        assert page.evaluate(TWIN, given) == []
        given["receipt"]["signature"] = "0x" + twin.hex()
        assert "the signature is the twin of the one that was made" in page.evaluate(TWIN, given)


def test_a_policy_that_splits_fees_in_another_way_says_nothing_of_the_amounts(
    browser: Browser, stage: Stage
) -> None:
    given = to_check(stage)
    parts = given["receipt"]["policy"]["parts_ppm"]
    parts["data"], parts["model_host"] = parts["model_host"], parts["data"]
    with watched(browser, stage.service.url) as page:
        page.goto("/")
        assert "the policy splits fees in another way" in page.evaluate(TWIN, given)


def test_a_byte_order_mark_is_a_character_of_the_text(browser: Browser, stage: Stage) -> None:
    http, text = stage.service.http, "\ufeffThe heron of Brenn stands in the pond."
    sent = {"id": "heron", "text": text, "contributors": [{"address": stage.contributor}]}
    job = http.post("/v1/datanets/herons/documents", json=sent | {"license": "CC0-1.0"})
    until = time.monotonic() + 60
    while http.get(job.headers["location"]).json()["state"] not in ("done", "failed"):
        assert time.monotonic() < until
        time.sleep(0.1)
    asked = {"datanet": "herons", "question": "Where does the heron of Brenn stand?"}
    answer = http.post("/v1/answers", json=asked).json()
    with watched(browser, stage.service.url) as page:
        page.goto(f"/evidence/{answer['id']}/cit_1")
        expect(page.locator("aside")).to_contain_text("Reckoned in your browser")
        assert steps_of(page)[-1] == HOLDS


def to_check(stage: Stage) -> dict[str, Any]:
    """What the page's check is given."""
    http = stage.service.http
    receipt = http.get(f"/v1/receipts/{stage.answer['receipt']['id']}").json()
    versions = {one["source"]["version"] for one in stage.answer["citations"]}
    texts = {v: http.get(f"/v1/datanets/{DATANET}/texts/{v}").text for v in versions}
    signers = [receipt["signer"]]
    return {"receipt": receipt, "answer": stage.answer, "texts": texts, "signers": signers}


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
    with watched(browser, stage.service.url) as page:
        page.goto("/")
        assert page.evaluate(CHECK_EACH, to_check(stage)) == []


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


@pytest.mark.parametrize("size", list(SIZES))
def test_an_answer_is_passed_on_with_its_citations(
    browser: Browser, stage: Stage, size: str
) -> None:
    allowed = ["clipboard-read", "clipboard-write"]
    with watched(browser, stage.service.url, size, permissions=allowed) as page:
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
