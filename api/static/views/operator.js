// For whoever runs the service: what waits, what is on its way, what is held and what to do, fees, the
// last audit, and what is degraded. Looks again by itself.

import { get } from "../lib/api.js";
import { element, fill, list, problemCard, table, waiting } from "../lib/dom.js";
import { address, counted, hash, money, time } from "../lib/show.js";

const LOOK_MILLISECONDS = 10_000;

export async function operator(main) {
  const place = element("div", {}, waiting("Fetching where everything stands…"));
  const again = element("button", { type: "button", class: "quiet", onclick: () => look() }, "Look again");
  fill(main, element("h1", {}, "Operator ", again), place);

  async function look() {
    try {
      const [status, ready] = await Promise.all([get("/v1/status"), get("/readyz").catch((error) => ({ degraded: [], why: error.message || "The service does not say." }))]);
      const open = new Set([...place.querySelectorAll("details[open] > summary")].map((one) => one.textContent));
      fill(place, health(ready, status), status.datanets.map(datanetCard), fees(status), batches(status), audits(status),
        element("p", { class: "small" }, "As of ", time(status.at), ". It looks again every ten seconds."));
      for (const one of place.querySelectorAll("details")) one.open = open.has(one.querySelector("summary").textContent);
    } catch (error) {
      fill(place, problemCard(error));
    }
  }

  await look();
  const timer = setInterval(() => document.hidden || place.contains(document.activeElement) || look(), LOOK_MILLISECONDS);
  return () => clearInterval(timer);
}

function health(ready, status) {
  const leaders = Object.values(status.leaders);
  const parts = ready.degraded.map((one) => element("li", {}, element("strong", {}, one.part), ` ${one.reason}`));
  if (!leaders.length && status.datanets.length) parts.push(element("li", {}, element("strong", {}, "worker"), " none leads: nothing is settled now; run footnote worker"));
  for (const [name, count] of Object.entries(status.unpaid)) {
    parts.push(element("li", {}, element("strong", {}, name), ` ${counted(count, "receipt")} that no chain pays`));
  }
  return element("section", { class: parts.length || ready.why ? "card problem" : "card good", "aria-label": "Health" },
    element("h2", {}, ready.why ? "Not ready" : parts.length ? "Works, with parts degraded" : "Everything works"),
    ready.why ? element("p", {}, ready.why) : null,
    parts.length ? element("ul", {}, parts) : null,
    leaders.length ? element("p", { class: "small" }, `Led by ${leaders.join(", ")}`) : null);
}

function datanetCard(one) {
  const { receipts, batch } = one;
  return element("section", { class: one.lost || batch?.held ? "card problem" : "card", "aria-label": one.datanet },
    element("h2", {}, element("a", { href: `/datanets/${encodeURIComponent(one.datanet)}` }, one.datanet)),
    one.lost ? element("p", { class: "warning" }, `Its Ledger is lost: ${one.lost}`) : null,
    list(
      ["Queue", `${counted(receipts.waiting, "receipt")} of ${receipts.issued} wait`],
      ["Oldest", one.oldest_unsettled_seconds === null ? "none waits" : `waits ${ago(one.oldest_unsettled_seconds)}`],
      ["Pending", money(one.pending)], ["Settled", [money(one.settled), ` in ${counted(one.final_batches, "final batch", "final batches")}`]],
      ["In the pool", one.funds === null ? "no worker has looked yet" : money(one.funds)],
      one.answers_left === null ? null : ["Lasts for", counted(one.answers_left, "more answer")],
      receipts.abandoned ? ["Abandoned", counted(receipts.abandoned, "number")] : null),
    batch ? flight(batch) : null);
}

function flight(batch) {
  return element("div", {},
    element("h3", {}, `Receipts ${batch.first} to ${batch.last}: `, stage(batch.stage)),
    batch.held ? element("p", { class: "warning", role: "alert" }, `Held, ${batch.held.reason}. What to do: ${batch.held.what_to_do}.`) : null,
    list(["Pays", [money(batch.total), ` to ${counted(batch.addresses, "address", "addresses")}`]],
      batch.key ? ["Key", [address(batch.key), `, nonce ${batch.nonce}`]] : null,
      batch.tx_hash ? ["Transaction", [hash(batch.tx_hash, "transaction"), ` ${counted(batch.attempts, "attempt")}`]] : null,
      batch.sent_at ? ["Sent", time(batch.sent_at)] : null));
}

const stage = (name) => element("span", { class: "state", data: { state: name } }, name);

function ago(seconds) {
  if (seconds < 120) return counted(seconds, "second");
  return seconds < 7_200 ? counted(Math.round(seconds / 60), "minute") : counted(Math.round(seconds / 3600), "hour");
}

function fees(status) {
  if (!status.ledgers.length) return element("section", { class: "card", "aria-label": "Ledgers" }, element("h2", {}, "Ledgers"), element("p", {}, "No Datanet is registered on a chain."));
  return element("section", { class: "card", "aria-label": "Fees" }, element("h2", {}, "Fees"),
    table("Fees by pool", ["Pool", "Chain", "Spent on fees"], status.ledgers.map((one) => [
      hash(one.pool, "pool's address"), String(one.chain_id), money(one.fees_spent_wei, "coin")])));
}

function batches(status) {
  return element("section", { class: "card", "aria-label": "Batches" }, element("h2", {}, "Batches, the newest first"),
    status.batches.length
      ? table("Batches", ["Datanet", "Receipts", "Stage", "Pays", "Fee", "Sent", "Batch"], status.batches.map((one) => [
          one.datanet, `${one.first} to ${one.last}`, [stage(one.stage), one.held ? element("span", { class: "warning" }, ` held: ${one.held.what_to_do}`) : null],
          money(one.total), one.fee_paid_wei === null ? "–" : money(one.fee_paid_wei, "coin"), one.sent_at ? time(one.sent_at) : "–",
          element("a", { href: `/v1/batches/${one.batch_id}` }, `${one.batch_id.slice(0, 10)}…`)]))
      : element("p", {}, "None yet."));
}

function audits(status) {
  return element("section", { class: "card", "aria-label": "Audits" }, element("h2", {}, "Last audit"),
    status.audits.length
      ? status.audits.map((one) => element("div", {},
          element("p", { class: one.agrees ? "good" : "warning" }, `${one.datanet ?? "All Datanets"}: journal and chain ${one.agrees ? "agree" : "DIFFER"}, `, time(one.made_at)),
          one.differences.length ? element("ul", {}, one.differences.slice(0, 20).map((said) => element("li", {}, said))) : null,
          one.unchecked.length ? element("p", { class: "small" }, `Not compared: ${one.unchecked.join("; ")}`) : null))
      : element("p", {}, "None was made yet: run ", element("code", {}, "footnote audit"), "."));
}
