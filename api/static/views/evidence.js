// One citation at its permanent address: the document in the very version that was cited, the span
// marked in it, and what it earned for whom.

import { get, getText } from "../lib/api.js";
import { element, fill } from "../lib/dom.js";
import { VERDICTS, address, codePoints, money, time } from "../lib/show.js";
import { problemCard } from "./ask.js";

const AROUND = 20_000;

export async function evidence(main, answerId, citationId) {
  fill(main, element("p", { class: "progress" }, "Fetching the document…"));
  try {
    const answer = await get(`/v1/answers/${encodeURIComponent(answerId)}`);
    const citation = answer.citations.find((one) => one.id === citationId);
    if (!citation) throw new Error("That answer has no such citation.");
    const claim = answer.claims.find((one) => one.id === citation.claim_id);
    const text = await getText(`/v1/datanets/${answer.datanet}/texts/${citation.source.version}`);
    const holds = await same(text, citation);
    fill(main, ...page(answer, claim, citation, text, holds));
    document.querySelector("mark")?.scrollIntoView({ block: "center" });
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

async function sha256(text) {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function page(answer, claim, citation, text, holds) {
  const cut = codePoints(text);
  const { start, end } = citation.source_span;
  return [
    element("h1", {}, citation.source.title),
    element("div", { class: "columns" },
      element("section", { class: "document", "aria-label": "The document" },
        start > AROUND ? element("p", { class: "small" }, "The beginning is left out.") : null,
        element("pre", {}, cut(Math.max(0, start - AROUND), start),
          element("mark", { tabindex: "0", data: { verdict: citation.verdict } }, cut(start, end)),
          cut(end, end + AROUND))),
      aside(answer, claim, citation, holds)),
  ];
}

function aside(answer, claim, citation, holds) {
  const { source, reward } = citation;
  return element("aside", { "aria-label": "The citation" },
    element("h2", {}, "What was said"),
    element("blockquote", {}, claim.text),
    element("p", { class: "verdict", data: { verdict: citation.verdict } }, VERDICTS[citation.verdict]),
    element("p", {}, holds
      ? "Reckoned in your browser: the text has the hash of the version that was cited, and the span holds these very characters."
      : element("strong", { class: "warning" }, "The text, the span or a hash does not agree with the citation.")),
    element("dl", {},
      ...row("Document", source.url ? element("a", { href: source.url, rel: "noreferrer" }, source.document_id) : source.document_id),
      ...row("Version", element("code", { class: "long" }, source.version)),
      ...row("Characters", `${citation.source_span.start} to ${citation.source_span.end}`),
      ...row("Weight", `${(reward.weight_ppm / 10_000).toFixed(2)} %`),
      ...row("Earned", money(reward.amount)),
      ...row("State", reward.status),
      ...row("Issued", time(answer.receipt.issued_at)),
      ...row("Receipt", element("a", { href: `/v1/receipts/${answer.receipt.id}` }, `number ${answer.receipt.seq}`))),
    element("h2", {}, "Contributors"),
    element("ul", {}, citation.contributors.map((one) =>
      element("li", {}, address(one.address, one.name), ` ${(one.share_bps / 100).toFixed(2)} %: `, money(one.amount)))),
    element("p", {}, element("a", { href: "/" }, "Ask something else")));
}

function row(name, value) {
  return [element("dt", {}, name), element("dd", {}, value)];
}
