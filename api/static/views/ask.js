// Ask a Datanet, and watch the answer come: each claim with its verdict and its citations.

import { answerEvents, get } from "../lib/api.js";
import { element, fill, problemCard, say } from "../lib/dom.js";
import { answerCard, hideCard } from "./answer.js";

const KEPT = "footnote-conversation";
const MOST_KEPT = 30;
const MOST_REFRESHED = 10;
const ATTEMPTS = 4;
const TWICE_MILLISECONDS = 800; // a second press so soon is one that was meant for the first

/** Fills `main`; returns what ends a question that is being answered. */
export async function ask(main) {
  const answers = element("div", { class: "answers" });
  const datanets = element("select", { id: "datanet", name: "datanet" });
  const question = element("textarea", {
    id: "question", name: "question", rows: 2, required: true, maxlength: 4000,
    placeholder: "What do you want to know?",
    onkeydown: (event) => {
      if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
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
  let [running, began] = [null, 0];
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (running) return Date.now() - began > TWICE_MILLISECONDS && running.abort();
    running = new AbortController();
    began = Date.now();
    button.textContent = "Stop";
    await listed; // somebody may be quicker than the list of Datanets
    if (datanets.value) await asked({ datanet: datanets.value, question: question.value }, answers, running.signal);
    else datanets.focus();
    running = null;
    button.textContent = "Ask";
  });
  for (const answer of kept()) answers.append(answerCard(answer));
  refresh(answers);
  const listed = list(datanets).catch((error) => answers.prepend(problemCard(error)));
  if ((await listed) === 0) fill(main, nothingPublished());
  return () => {
    running?.abort();
    hideCard();
  };
}

/** Fills in the Datanets that may be asked; returns how many there are. */
async function list(datanets) {
  const { data } = await get("/v1/datanets");
  const wanted = new URLSearchParams(location.search).get("datanet");
  const missing = wanted !== null && !data.some((one) => one.id === wanted);
  fill(datanets,
    missing ? element("option", { value: "", selected: true }, `${wanted} is not here: choose another`) : null,
    data.map((one) => element("option", { value: one.id, selected: one.id === wanted }, one.id)));
  return data.length;
}

/** The events of an answer. Where the line breaks, the same answer is asked for again under its name, so
 * that it is made and paid once. */
async function* surely(question, signal, again) {
  const name = Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
  for (let attempt = 1; ; attempt += 1) {
    try {
      return yield* answerEvents(question, name, signal);
    } catch (error) {
      const passing = error.status === 0 || (attempt > 1 && error.status === 409);
      if (!passing || attempt === ATTEMPTS || signal.aborted) throw error;
      again();
      await new Promise((go) => setTimeout(go, 1000));
    }
  }
}

/** What was pending when it was kept may be settled by now. */
async function refresh(answers) {
  const waiting = kept().filter((one) => one.citations.some((each) => /^(pending|batched)$/.test(each.reward.status)));
  for (const { id } of waiting.slice(0, MOST_REFRESHED)) {
    const newer = await get(`/v1/answers/${id}`).catch(() => null);
    if (newer) answers.querySelector(`[data-answer="${CSS.escape(id)}"]`)?.replaceWith(answerCard(newer));
  }
}

async function asked(question, answers, signal) {
  const card = element("article", { class: "card answer", "aria-busy": "true" });
  const text = element("p", { class: "text" });
  const under = element("p", { class: "progress" }, "Looking for passages…");
  fill(card, element("h2", {}, question.question), text, under);
  answers.prepend(card);
  let citations = [];
  let pending = null;
  try {
    for await (const event of surely(question, signal, () => {
      fill(text);
      citations = [];
      under.textContent = "The line broke off; asking for the same answer again…";
    })) {
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
    if (error.name === "AbortError") under.textContent = "Stopped. Only an answer that was whole by then is owed.";
    else card.replaceWith(problemCard(error, question.question));
  }
  card.setAttribute("aria-busy", "false");
}

function nothingPublished() {
  return element("article", { class: "card" }, element("h1", {}, "Nothing is published yet"),
    element("p", {}, element("a", { href: "/datanets" }, "Upload documents here"), ", or add them with ",
      element("code", {}, "footnote ingest NAME FOLDER"), " and load this page again."));
}

function kept() {
  try {
    return JSON.parse(sessionStorage.getItem(KEPT) ?? "[]");
  } catch {
    return [];
  }
}

/** Nothing of what was asked with another key stays. */
export function forgetAnswers() {
  sessionStorage.removeItem(KEPT);
}

function keep(answer) {
  sessionStorage.setItem(KEPT, JSON.stringify([answer, ...kept()].slice(0, MOST_KEPT)));
}
