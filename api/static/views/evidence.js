// One citation at its permanent address: the document in the very version that was cited, the span
// marked in it, what it earned for whom, and the receipt, checked here step by step.

import { get, getText } from "../lib/api.js";
import { element, fill, list, problemCard, say, table, waiting } from "../lib/dom.js";
import { sha256 } from "../lib/sha256.js";
import { STATES, VERDICTS, address, codePoints, hash, money, time } from "../lib/show.js";

const AROUND = 20_000;
const MORE = 100_000;

export async function evidence(main, answerId, citationId) {
  fill(main, waiting("Fetching the document…"));
  try {
    const answer = await get(`/v1/answers/${encodeURIComponent(answerId)}`);
    const citation = answer.citations.find((one) => one.id === citationId);
    if (!citation) throw new Error("That answer has no such citation.");
    document.title = `${citation.source.title} · Evidence · Footnote`;
    const claim = answer.claims.find((one) => one.id === citation.claim_id);
    const [text, receipt] = await Promise.all([
      getText(`/v1/datanets/${answer.datanet}/texts/${citation.source.version}`),
      get(`/v1/receipts/${answer.receipt.id}`),
    ]);
    const holds = await same(text, citation);
    fill(main, ...page(answer, claim, citation, text, holds), receiptCard(answer, receipt));
    main.querySelector("mark")?.scrollIntoView({ block: "center" });
  } catch (error) {
    fill(main, problemCard(error));
  }
}

/** Whether text, span, quote and hashes agree, reckoned here. */
async function same(text, citation) {
  const cut = codePoints(text)(citation.source_span.start, citation.source_span.end);
  return (
    cut === citation.cited_text &&
    (await sha256(text)) === citation.source.version.replace("sha256:", "") &&
    (await sha256(cut)) === citation.cited_text_sha256
  );
}

function page(answer, claim, citation, text, holds) {
  const { start, end } = citation.source_span;
  return [
    element("h1", {}, citation.source.title),
    element("div", { class: "columns" },
      textWithMark(text, start, end, citation.verdict),
      aside(answer, claim, citation, holds)),
  ];
}

/** A document's text with a span marked in it; of a long one first what is around the span. `verdict`
 * is that of a citation, or null where nobody cited it. */
export function textWithMark(text, start, end, verdict = null) {
  const points = Array.from(text);
  const cut = (from, to) => points.slice(from, to).join("");
  let [from, to] = [Math.max(0, start - AROUND), Math.min(points.length, end + AROUND)];
  const [before, after] = [new Text(cut(from, start)), new Text(cut(end, to))];
  const more = (label, grow) => element("button", { type: "button", class: "quiet", onclick: (event) => {
    event.target.hidden = !grow();
  } }, label);
  /** Shows more before; whether there is more still. */
  function earlier() {
    const next = Math.max(0, from - MORE);
    before.textContent = cut(next, from) + before.textContent;
    from = next;
    return from > 0;
  }
  function later() {
    const next = Math.min(points.length, to + MORE);
    after.textContent += cut(to, next);
    to = next;
    return to < points.length;
  }
  return element("section", { class: "document", "aria-label": "The document", tabindex: "0" },
    from > 0 ? more("Show what is before", earlier) : null,
    element("pre", {}, before,
      end > start ? element("mark", { tabindex: "0", data: verdict ? { verdict } : {} }, cut(start, end)) : null, after),
    to < points.length ? more("Show what follows", later) : null);
}

function aside(answer, claim, citation, holds) {
  const { source, reward } = citation;
  return element("aside", { "aria-label": "The citation" },
    element("h2", {}, "What was said"),
    element("blockquote", { data: { verdict: citation.verdict } }, claim.text),
    element("p", { class: "verdict", data: { verdict: citation.verdict } }, VERDICTS[citation.verdict]),
    element("p", { class: "holds" }, holds
      ? "Reckoned in your browser: the text has the hash of the version that was cited, and the span holds these very characters."
      : element("strong", { class: "warning" }, "The text, the span or a hash does not agree with the citation.")),
    list(
      ["Document", source.url ? element("a", { href: source.url, rel: "noreferrer" }, source.document_id) : source.document_id],
      ["Version", hash(source.version, "version")],
      ["Characters", `${citation.source_span.start} to ${citation.source_span.end}`],
      ["Weight", `${(reward.weight_ppm / 10_000).toFixed(2)} %`],
      ["Earned", money(reward.amount)],
      ["State", STATES[reward.status]]),
    element("h2", {}, "Contributors"),
    element("ul", { class: "plain" }, citation.contributors.map((one) =>
      element("li", {}, address(one.address, one.name), ` ${(one.share_bps / 100).toFixed(2)} %: `, money(one.amount)))),
    element("p", {}, element("a", { href: `/answers/${answer.id}` }, "The whole answer"), " · ",
      element("a", { href: `/datanets/${encodeURIComponent(answer.datanet)}` }, answer.datanet)));
}

function receiptCard(answer, receipt) {
  const { message, batch } = receipt;
  const steps = element("ol", { class: "steps", "aria-live": "polite" });
  const button = element("button", { type: "button", class: "main", onclick: () => verify(answer, receipt, steps, button) }, "Verify it in this browser");
  return element("section", { class: "card", "aria-labelledby": "receipt" },
    element("h2", { id: "receipt" }, `Receipt ${message.seq} of ${answer.datanet}`),
    element("p", {}, receipt.ledger
      ? "Signed when the answer was given. It says who is owed what, and nobody can change it without breaking the signature."
      : "This Datanet is on no chain: the receipt is unsigned, holds weights, and owes nothing."),
    list(
      ["Receipt", hash(receipt.digest, "receipt's id")],
      ["Issued", time(message.issuedAt)],
      ["Signed by", receipt.signer ? hash(receipt.signer, "signer's address") : "nobody"],
      ["Fee", money(message.fee)],
      ["To contributors", money(message.dataPool)],
      receipt.ledger === null ? null : ["Batch", batch ? ["receipts ", `${batch.first} to ${batch.last}, ${batch.status}: `, hash(batch.batch_id, "batch's id")] : "not in one yet"],
      batch?.tx_hash ? ["Transaction", hash(batch.tx_hash, "transaction")] : null,
      receipt.ledger === null ? null : ["Proof", receipt.proof ? `${receipt.proof.length} hashes up to the batch's root` : "with its batch"]),
    element("details", {}, element("summary", {}, "What was signed"),
      table("The signed message", ["Field", "Value"], Object.entries(message).map(([name, value]) => [name, element("code", {}, String(value))]))),
    element("p", {}, button, " ", element("a", { href: `/v1/receipts/${receipt.digest}`, download: `receipt-${message.seq}.json` }, "Download it"),
      " for ", element("code", {}, "footnote verify")),
    steps);
}

/** Check what is shown, one step after the other; whatever is needed besides is fetched now. */
async function verify(answer, shown, steps, button) {
  button.disabled = true;
  fill(steps);
  const { check } = await import("../lib/receipt.js");
  const { chainOf } = await import("../lib/wallet.js");
  try {
    const [receipt, stored, datanet] = await Promise.all([
      get(`/v1/receipts/${answer.receipt.id}`), get(`/v1/answers/${answer.id}`),
      get(`/v1/datanets/${encodeURIComponent(answer.datanet)}`),
    ]);
    const lasting = JSON.stringify([withoutState(answer), { ...shown, batch: null, proof: null }]);
    const again = JSON.stringify([withoutState(stored), { ...receipt, batch: null, proof: null }]);
    const first = { name: "What is shown is what the service says now", passed: lasting === again, detail: "" };
    steps.append(stepOf(first));
    const textOf = (version) => getText(`/v1/datanets/${encodeURIComponent(answer.datanet)}/texts/${version}`);
    const given = { id: answer.receipt.id, answer, textOf, signers: datanet.registration?.signers, chain: chainOf() };
    let failed = first.passed ? 0 : 1;
    for await (const step of check(receipt, given)) {
      failed += step.passed === false;
      steps.append(stepOf(step));
    }
    const verdict = failed ? `This receipt does not hold: ${failed} of ${steps.children.length} steps failed.` : "Every step that could be looked at holds.";
    steps.append(element("li", { class: "verdict", data: { passed: failed === 0 } }, verdict));
    say(verdict);
  } catch (error) {
    steps.append(stepOf({ name: "What is needed could not be fetched", passed: false, detail: error.message }));
  }
  button.disabled = false;
}

/** An answer without what changes after it was given. */
function withoutState(answer) {
  return { ...answer, citations: answer.citations.map((one) => ({ ...one, reward: { ...one.reward, status: null } })) };
}

const SIGNS = new Map([[true, ["✓", "holds"]], [false, ["✗", "FAILED"]], [null, ["–", "not looked at"]]]);

function stepOf({ name, passed, detail }) {
  const [sign, word] = SIGNS.get(passed);
  return element("li", { data: { passed } }, element("span", { "aria-hidden": "true" }, `${sign} `),
    `${name}: ${word}`, detail ? element("span", { class: "small" }, ` ${detail}`) : null);
}
