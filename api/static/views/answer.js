// An answer: its claims with their verdicts, its evidence on hover, tap or focus, and ways to pass it on.

import { get } from "../lib/api.js";
import { bibtex, markdown } from "../lib/cite.js";
import { copy } from "../lib/copy.js";
import { element, fill, problemCard, waiting } from "../lib/dom.js";
import { STATES, VERDICTS, address, money } from "../lib/show.js";

/** An answer at an address of its own. */
export async function answerPage(main, answerId) {
  fill(main, waiting("Fetching the answer…"));
  try {
    const answer = await get(`/v1/answers/${encodeURIComponent(answerId)}`);
    fill(main, element("h1", {}, `Answer from ${answer.datanet}`), answerCard(answer));
  } catch (error) {
    fill(main, problemCard(error));
  }
}

/** A whole answer, as it is stored. */
export function answerCard(answer) {
  const byId = new Map(answer.citations.map((one) => [one.id, one]));
  const points = Array.from(answer.text);
  const text = element("p", { class: "text" });
  let told = 0;
  for (const claim of answer.claims) {
    text.append(points.slice(told, claim.start).join(""));
    const own = claim.citation_ids.map((id) => byId.get(id));
    text.append(claimSpan(claim, own, answer));
    told = claim.end + markersBehind(points, claim.end);
  }
  text.append(points.slice(told).join(""));
  return element(
    "article",
    { class: answer.refused ? "card answer refused" : "card answer", data: { answer: answer.id } },
    element("h2", {}, answer.question),
    text,
    answer.refused ? nearest(answer) : null,
    answer.citations.length
      ? element("ol", { class: "citations" }, answer.citations.map((one) =>
          element("li", { value: one.marker, data: { verdict: one.verdict } }, evidenceOf(one, answer))))
      : null,
    foot(answer),
  );
}

export function evidenceAddress(answer, one) {
  return `/evidence/${answer.id}/${one.id}`;
}

function claimSpan(claim, citations, answer) {
  return element(
    "span",
    { class: "claim", data: { verdict: claim.verdict }, title: VERDICTS[claim.verdict] },
    claim.text,
    claim.verdict === "supported" ? null : element("em", { class: "warning" }, ` ${VERDICTS[claim.verdict]} `),
    citations.map((one) => marker(one, answer)),
  );
}

/** A citation's number. Hover and focus show its evidence, so does the first tap; the next, or a
 * click, opens it at its address. */
function marker(one, answer) {
  const link = element("a", {
    class: "marker", href: evidenceAddress(answer, one), "aria-label": `Evidence ${one.marker}: ${VERDICTS[one.verdict]}`,
    onpointerenter: (event) => event.pointerType === "mouse" && showCard(link, one, answer),
    onpointerleave: (event) => event.pointerType === "mouse" && hideSoon(),
    onfocus: () => link.matches(":focus-visible") && showCard(link, one, answer),
    onblur: hideSoon,
    onclick: (event) => {
      const shownFor = document.querySelector(".evidence-card")?.dataset.for;
      if (event.pointerType === "touch" && shownFor !== one.id + answer.id) {
        event.preventDefault();
        showCard(link, one, answer);
      } else hideCard();
    },
  }, `[${one.marker}]`);
  return link;
}

let hiding = null;

function showCard(link, one, answer) {
  hideCard();
  const card = element("div", {
    class: "evidence-card", role: "tooltip", id: "evidence-card", onpointerdown: (event) => event.preventDefault(), data: { for: one.id + answer.id, verdict: one.verdict },
    onpointerenter: () => clearTimeout(hiding), onpointerleave: hideSoon,
  }, evidenceOf(one, answer));
  document.body.append(card);
  link.setAttribute("aria-describedby", card.id);
  const at = link.getBoundingClientRect();
  const room = document.documentElement.clientWidth - card.offsetWidth - 16;
  card.style.left = `${Math.max(16, Math.min(at.left - 24, room)) + scrollX}px`;
  const below = at.bottom + card.offsetHeight + 8 < innerHeight || at.top < card.offsetHeight + 8;
  card.style.top = `${(below ? at.bottom + 6 : at.top - card.offsetHeight - 6) + scrollY}px`;
}

function hideSoon() {
  clearTimeout(hiding);
  hiding = setTimeout(hideCard, 250);
}

export function hideCard() {
  clearTimeout(hiding);
  document.querySelector(".evidence-card")?.remove();
  document.querySelector("[aria-describedby='evidence-card']")?.removeAttribute("aria-describedby");
}

addEventListener("keydown", (event) => event.key === "Escape" && hideCard());
addEventListener("popstate", hideCard);

function evidenceOf(one, answer) {
  return [
    element("blockquote", {}, one.cited_text),
    element("p", {}, element("a", { href: evidenceAddress(answer, one), onclick: hideCard }, one.source.title),
      " · ", element("span", { class: "verdict", data: { verdict: one.verdict } }, VERDICTS[one.verdict])),
    element("p", { class: "people" }, one.contributors.map((person) =>
      element("span", {}, address(person.address, person.name), " earns ", money(person.amount), ", ",
        element("span", { title: STATES[one.reward.status] }, one.reward.status)))),
  ];
}

/** How many code points the markers behind a claim take: they are shown as links instead. */
function markersBehind(points, end) {
  const found = /^\s?(?:\[\d+\])+/.exec(points.slice(end, end + 200).join(""));
  return found ? found[0].length : 0;
}

function nearest(answer) {
  const found = new Map(answer.retrieved.map((one) => [one.document_id, one]));
  if (!found.size) return element("p", {}, "No document is near.");
  return [
    element("p", {}, "Nearest to the question:"),
    element("ul", {}, [...found.values()].slice(0, 3).map((one) =>
      element("li", {}, element("a", { href: documentAddress(answer.datanet, one) }, one.title)))),
  ];
}

/** A passage of a document in the page, at the version that was found. */
export function documentAddress(datanet, found) {
  const span = found.chunk ?? found.span;
  const query = new URLSearchParams({ version: found.version });
  if (span) {
    query.set("start", span.start);
    query.set("end", span.end);
  }
  return `/datanets/${encodeURIComponent(datanet)}/documents/${encodeURIComponent(found.document_id)}?${query}`;
}

function foot(answer) {
  const here = new URL(`/answers/${answer.id}`, location.href).href;
  const button = (text, action) => element("button", { type: "button", class: "quiet", onclick: action }, text);
  return element("footer", { class: "small" },
    element("a", { href: `/answers/${answer.id}` }, "This answer"), " · ",
    element("a", { href: `/v1/receipts/${answer.receipt.id}` }, `receipt ${answer.receipt.seq}`),
    element("span", { class: "actions" },
      navigator.share ? button("Share", () => navigator.share({ title: answer.question, url: here }).catch(() => {})) : null,
      button("Copy link", () => copy(here)),
      button("Copy as Markdown", () => copy(markdown(answer))),
      answer.citations.length ? button("Copy as BibTeX", () => copy(bibtex(answer))) : null));
}
