"""The page in a real browser: asking, the answer as it comes, and the evidence behind it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from api.app import build_app, build_services
from api.keys import Wish, new_key
from footnote.settings import Settings
from rag.models.embedder import SentenceTransformerEmbedder
from tests.browsing import SIZES, watched
from tests.e2e.test_api import DOCUMENTS, QUESTION, Service, ingest, serving
from tests.scripted_model import BASE, ScriptedModel, scripted

WRONG = "Bees find their way home by the moon [1]."
DANCE = "The waggle dance shows the direction of the meadow and its distance [1]."


@pytest.fixture(scope="module")
def model() -> Iterator[ScriptedModel]:
    with scripted() as running:
        yield running


@pytest.fixture(scope="module")
def service(
    tmp_path_factory: pytest.TempPathFactory,
    embedder: SentenceTransformerEmbedder,
    model: ScriptedModel,
) -> Iterator[Service]:
    home: Path = tmp_path_factory.mktemp("page")
    ingest(home, embedder)
    settings = Settings(home=home, openlora_url=model.url, openlora_model=BASE, answerer="openlora")
    yield from serving(build_services(settings, embedder))


@pytest.fixture(params=list(SIZES))
def page(request: pytest.FixtureRequest, browser: Browser, service: Service) -> Iterator[Page]:
    with watched(browser, service.url, request.param) as opened:
        yield opened


def ask(page: Page, question: str) -> None:
    page.goto("/")
    page.get_by_label("Question").fill(question)
    page.get_by_label("Question").press("Enter")


def test_an_answer_shows_each_claim_with_its_verdict_its_quote_and_who_earns(
    page: Page, model: ScriptedModel
) -> None:
    model.replies = [f"{DANCE} {WRONG}"]
    ask(page, QUESTION)
    answer = page.locator("article").first
    expect(answer).to_contain_text("The waggle dance shows the direction of the meadow")
    expect(answer.locator(".claim[data-verdict]")).to_have_count(2)
    right, wrong = answer.locator(".claim").all()
    assert right.get_attribute("data-verdict") == "supported"
    assert wrong.get_attribute("data-verdict") != "supported"
    expect(wrong.locator(".warning")).to_be_visible()
    expect(right.locator(".warning")).to_have_count(0)
    quoted = answer.locator("li").first
    expect(quoted).to_contain_text("The waggle dance shows the direction")
    expect(quoted).to_contain_text("Alice")
    expect(quoted).to_contain_text("earns")


def test_the_evidence_is_one_tap_away_at_an_address_of_its_own(
    page: Page, model: ScriptedModel
) -> None:
    model.replies = [DANCE]
    ask(page, QUESTION)
    page.locator("a.marker").first.click()
    marked = page.locator("mark")
    expect(marked).to_be_in_viewport()
    quote = "🐝 The waggle dance shows the direction of the meadow and its distance."
    assert marked.inner_text() == quote
    expect(page.locator("aside")).to_contain_text("Reckoned in your browser")
    expect(page).to_have_url(re.compile(r"/evidence/ans_\w+/cit_1$"))
    page.reload()
    expect(page.locator("mark")).to_have_text(quote)
    page.go_back()
    expect(page.locator("article")).to_contain_text(QUESTION)


def test_a_refusal_says_why_and_names_what_is_nearest(page: Page, model: ScriptedModel) -> None:
    model.replies = ["NO ANSWER"]
    ask(page, QUESTION)
    refusal = page.locator("article.refused")
    expect(refusal).to_contain_text("found no answer")
    expect(refusal).to_contain_text(DOCUMENTS[0]["title"])


def test_claims_appear_while_the_model_writes_on_and_stopping_ends_it(
    page: Page, model: ScriptedModel
) -> None:
    model.left.clear()
    model.replies, model.pause_seconds = [f"{DANCE} " * 60], 0.03
    ask(page, QUESTION)
    expect(page.locator(".claim").nth(1)).to_be_visible()
    page.get_by_role("button", name="Stop").click()
    expect(page.locator(".progress")).to_have_text(
        "Stopped. Only an answer that was whole by then is owed."
    )
    assert model.left.wait(5)
    model.pause_seconds = 0.0


def test_a_line_that_breaks_gives_the_same_answer_and_owes_it_once(
    page: Page, model: ScriptedModel, service: Service
) -> None:
    model.replies = [DANCE]
    before = len(answers_of(service))
    page.route("**/v1/answers", cut, times=1)
    ask(page, QUESTION)
    expect(page.locator("article .citations")).to_be_visible(timeout=15_000)
    assert len(answers_of(service)) == before + 1


def cut(route: Route) -> None:
    """The answer is made, but its line breaks before the end."""
    response = route.fetch()
    route.fulfill(response=response, body=response.text()[:400])


def answers_of(service: Service) -> list[int]:
    days = service.http.get("/v1/datanets/nature/activity").json()["days"]
    return [1] * sum(day["answers"] for day in days)


def test_who_asks_before_the_datanets_are_listed_is_answered(
    page: Page, model: ScriptedModel
) -> None:
    model.replies = [DANCE]
    held: list[Route] = []
    page.route("**/v1/datanets", lambda route: held.append(route))
    ask(page, QUESTION)
    expect(page.get_by_role("button", name="Stop")).to_be_visible()
    held[0].continue_()
    expect(page.locator("article .citations")).to_be_visible()


def test_a_second_press_so_soon_stops_nothing(page: Page, model: ScriptedModel) -> None:
    model.replies = [DANCE]
    page.goto("/")
    page.get_by_label("Question").fill(QUESTION)
    page.get_by_role("button", name="Ask").dblclick()
    expect(page.locator("article .citations")).to_be_visible()


def test_a_service_that_wants_a_key_gets_it_from_the_page(
    browser: Browser, service: Service, embedder: SentenceTransformerEmbedder, tmp_path: Path
) -> None:
    settings = service.services.settings.model_copy(
        update={"journal_url": f"sqlite:///{tmp_path / 'journal.sqlite'}"}
    )
    services = build_services(settings, embedder)
    shown, kept = new_key(Wish("a reader"))
    services.journal.create_key(kept)
    for running in serving(services, build_app(services)):
        page = browser.new_context(base_url=running.url).new_page()
        page.goto("/")
        expect(page.locator("article.problem")).to_contain_text("API key")
        page.get_by_role("button", name="Key", exact=True).click()
        page.get_by_label("Key", exact=True).fill(shown)
        page.get_by_role("button", name="Use it").click()
        expect(page.get_by_label("Datanet")).to_contain_text("nature")
        page.context.close()


def test_nothing_that_a_document_or_a_model_says_becomes_markup(
    page: Page, model: ScriptedModel
) -> None:
    model.replies = ["<img src=x onerror=document.title='owned'> <b>Bees</b> dance [1]."]
    ask(page, QUESTION)
    expect(page.locator("article").first).to_contain_text("<b>Bees</b>")
    assert page.title() == "Footnote"
    assert page.locator("article img").count() == 0


def test_the_page_is_small_and_strict(service: Service) -> None:
    start = service.http.get("/")
    assert "default-src 'none'" in start.headers["content-security-policy"]
    parts = re.findall(r'(?:src|href)="(/static/[^"]+)"', start.text)
    assert len(parts) == 3
    again = service.http.get("/", headers={"If-None-Match": start.headers["etag"]})
    assert again.status_code == 304
    for path in ("/static/../app.py", "/static/%2e%2e/app.py", "/static//etc/passwd", "/static/"):
        assert service.http.get(path).status_code == 404


def test_nothing_of_the_api_may_run_or_be_framed(service: Service) -> None:
    text = service.http.get("/v1/datanets/nature/documents/bees").json()["version"]
    for path in (f"/v1/datanets/nature/texts/{text}", "/v1/datanets", "/v1/nothing", "/healthz"):
        headers = service.http.get(path).headers
        assert headers["x-content-type-options"] == "nosniff", path
        assert "sandbox" in headers["content-security-policy"], path
    assert "frame-ancestors 'none'" in service.http.get("/docs").headers["content-security-policy"]
