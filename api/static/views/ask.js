// Ask a Datanet, and watch the answer come: each claim with its verdict and its citations.

import { answerEvents, get } from "../lib/api.js";
import { element, fill, say } from "../lib/dom.js";
import { VERDICTS, address, money } from "../lib/show.js";

const KEPT = "footnote-conversation";
const MOST_KEPT = 30;

/** Fills `main`; returns what ends a question that is being answered. */
export async function ask(main) {
  const answers = element("div", { class: "answers" });
  const datanets = element("select", { id: "datanet", name: "datanet" });
  const question = element("textarea", {
    id: "question", name: "question", rows: 2, required: true, maxlength: 4000,
    placeholder: "What do you want to know?",
    onkeydown: (event) => {
      if (event.key === "Enter" && !event.shiftKey) {
        event.preventDefault();
        form.requestSubmit();
      }
    },
  });
  const button = element("button", { type: "submit" }, "Ask");
  const form = element(
    "form",
    { class: "ask" },
    element("div", {}, element("label", { for: "datanet" }, "Datanet"), datanets),
    element("div", { class: "wide" }, element("label", { for: "question" }, "Question"), question),
    button,
  );
  fill(main, element("h1", {}, "Ask, and see the evidence"), form, answers);
  let running = null;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (running) return running.abort();
    running = new AbortController();
    button.textContent = "Stop";
    await listed;
    await asked({ datanet: datanets.value, question: question.value }, answers, running.signal);
    running = null;
    button.textContent = "Ask";
  });
  for (const answer of kept()) answers.append(answerCard(answer));
  const listed = list(datanets).catch((error) => answers.prepend(problemCard(error)));
  if ((await listed) === 0) fill(main, nothingPublished());
  return () => running?.abort();
}

/** Fills in the Datanets that may be asked; returns how many there are. */
async function list(datanets) {
  const { data } = await get("/v1/datanets");
  fill(datanets, data.map((one) => element("option", { value: one.id }, one.id)));
  return data.length;
}

async function asked(question, answers, signal) {
  const card = element("article", { class: "answer", "aria-busy": "true" });
  const text = element("p", { class: "text" });
  const under = element("p", { class: "progress" }, "Looking for passages…");
  fill(card, element("h2", {}, question.question), text, under);
  answers.prepend(card);
  let citations = [];
  let pending = null;
  try {
    for await (const event of answerEvents(question, signal)) {
      if (event.type === "retrieval") {
        under.textContent = `${event.retrieved.length} passages found; writing…`;
      } else if (event.type === "text.delta") {
        pending = element("span", { class: "claim" }, event.delta);
        text.append(pending);
      } else if (event.type === "claim.completed") {
        pending.dataset.verdict = event.claim.verdict;
      } else if (event.type === "citation.verified") {
        citations = [...citations, event.citation];
        under.textContent = `${citations.length} citations checked…`;
      } else {
        card.replaceWith(answerCard(event.answer));
        keep(event.answer);
        say(event.answer.refused ? "Refused." : "The answer is there.");
      }
    }
  } catch (error) {
    if (error.name === "AbortError") under.textContent = "Stopped. Nothing is owed.";
    else card.replaceWith(problemCard(error, question.question));
  }
  card.setAttribute("aria-busy", "false");
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
    { class: answer.refused ? "answer refused" : "answer" },
    element("h2", {}, answer.question),
    text,
    answer.refused ? nearest(answer) : null,
    answer.citations.length
      ? element("ol", { class: "citations" }, answer.citations.map((one) => citation(one, answer)))
      : null,
    element("p", { class: "small" }, element("a", { href: `/v1/answers/${answer.id}` }, "Answer"), " · ",
      element("a", { href: `/v1/receipts/${answer.receipt.id}` }, `receipt ${answer.receipt.seq}`)),
  );
}

function claimSpan(claim, citations, answer) {
  return element(
    "span",
    { class: "claim", data: { verdict: claim.verdict }, title: VERDICTS[claim.verdict] },
    claim.text,
    claim.verdict === "supported" ? null : element("em", { class: "warning" }, ` ${VERDICTS[claim.verdict]} `),
    citations.map((one) =>
      element("a", { class: "marker", href: evidenceAddress(answer, one), "aria-label": `Evidence ${one.marker}` },
        `[${one.marker}]`)),
  );
}

/** How many code points the markers behind a claim take: they are shown as links instead. */
function markersBehind(points, end) {
  const found = /^\s?(?:\[\d+\])+/.exec(points.slice(end, end + 200).join(""));
  return found ? found[0].length : 0;
}

function citation(one, answer) {
  return element(
    "li",
    { value: one.marker, data: { verdict: one.verdict } },
    element("blockquote", {}, one.cited_text),
    element("p", {},
      element("a", { href: evidenceAddress(answer, one) }, one.source.title), " · ",
      VERDICTS[one.verdict]),
    element("p", { class: "people" }, one.contributors.map((person) =>
      element("span", {}, address(person.address, person.name), " earns ", money(person.amount), " "))),
  );
}

function evidenceAddress(answer, one) {
  return `/evidence/${answer.id}/${one.id}`;
}

function nearest(answer) {
  const titles = [...new Set(answer.retrieved.map((one) => one.title))].slice(0, 3);
  return element("ul", {}, titles.map((title) => element("li", {}, title)));
}

export function problemCard(error, question = null) {
  return element(
    "article",
    { class: "answer problem", role: "alert" },
    question ? element("h2", {}, question) : null,
    element("p", {}, error.message),
    error.status === 401 ? element("p", {}, "Press Key above, and paste one.") : null,
  );
}

function nothingPublished() {
  return element("article", { class: "answer" }, element("h1", {}, "Nothing is published yet"),
    element("p", {}, "Add documents with ", element("code", {}, "footnote ingest NAME FOLDER"), ", then load this page again."));
}

function kept() {
  try {
    return JSON.parse(sessionStorage.getItem(KEPT) ?? "[]");
  } catch {
    return [];
  }
}

function keep(answer) {
  sessionStorage.setItem(KEPT, JSON.stringify([answer, ...kept()].slice(0, MOST_KEPT)));
}
