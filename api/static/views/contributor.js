// What an address earned: by Datanet and day, passage by passage, and how to claim it.

import { get, getText } from "../lib/api.js";
import { bars } from "../lib/chart.js";
import { copy, save } from "../lib/copy.js";
import { element, fill, list, problemCard, table, tell, waiting } from "../lib/dom.js";
import { STATES, address, hash, money, time, tokens } from "../lib/show.js";
import { documentAddress } from "./answer.js";

/** Asks whose earnings to show. */
export function lookup(main) {
  const input = element("input", { id: "address", required: true, pattern: "0x[0-9a-fA-F]{40}", placeholder: "0x…", autocomplete: "off" });
  const form = element("form", { class: "ask" },
    element("div", { class: "wide" }, element("label", { for: "address" }, "Address of a contributor"), input),
    element("button", { type: "submit" }, "Show"));
  const go = (account) => {
    history.pushState(null, "", `/contributors/${account}`);
    dispatchEvent(new PopStateEvent("popstate"));
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    go(input.value.trim());
  });
  fill(main, element("h1", {}, "What did you earn?"),
    element("p", {}, "Earnings are open to everybody: they are the proof of payment, and hold no text of those who asked."), form,
    window.ethereum ? element("button", { type: "button", onclick: async () => {
      const { connected } = await import("../lib/wallet.js");
      await connected().then(go, (error) => tell(error.message));
    } }, "Use my wallet's address") : null);
}

export async function contributor(main, account) {
  fill(main, waiting("Fetching what it earned…"));
  const at = `/v1/contributors/${encodeURIComponent(account)}`;
  try {
    const shown = await get(at);
    const heading = element("h1", {}, "Contributor ", address(shown.address));
    fill(main, heading,
      element("div", { class: "numbers" },
        number("Pending", shown.pending, STATES.pending), number("Settled", shown.settled, STATES.settled),
        number("Claimable", shown.claimable, "Settled, less what was withdrawn")),
      shown.ledgers.map((one) => claimCard(shown, one)),
      element("section", { "aria-label": "By day" }, bars("Earned", shown.days, (day) => day.owed, (day) => `${tokens(day.owed)} tokens`)),
      element("section", { "aria-label": "By Datanet" }, element("h2", {}, "By Datanet"),
        shown.datanets.length
          ? table("Earnings by Datanet", ["Datanet", "Pending", "Settled"], shown.datanets.map((one) => [
              element("a", { href: `/datanets/${encodeURIComponent(one.id)}` }, one.id), money(one.pending), money(one.settled)]))
          : element("p", {}, "Nothing of this address was cited yet.")),
      passages(shown, at), statement(shown.address, at));
    named(shown).then((name) => name && heading.append(" ", element("bdi", {}, name)), () => {});
  } catch (error) {
    fill(main, problemCard(error));
  }
}

const number = (name, amount, title) =>
  element("div", { class: "card", title }, element("span", { class: "small" }, name), element("strong", {}, money(amount)));

/** The name under which a Datanet knows the address, where the caller may see one that does. */
async function named(shown) {
  for (const { id } of shown.datanets) {
    const { data } = await get(`/v1/datanets/${encodeURIComponent(id)}/contributors?limit=1000`);
    const found = data.find((one) => one.address === shown.address);
    if (found?.name) return found.name;
  }
  return null;
}

// Passages that earned

function passages(shown, at) {
  const body = element("tbody", {});
  const more = element("button", { type: "button", hidden: shown.next === null, onclick: () => page(next) }, "Earlier passages");
  let next = shown.next;
  const add = (spans) => body.append(...spans.map(passageRow));

  async function page(cursor) {
    more.disabled = true;
    try {
      const found = await get(`${at}?cursor=${encodeURIComponent(cursor)}`);
      add(found.spans);
      next = found.next;
      more.hidden = next === null;
    } catch (error) {
      more.replaceWith(problemCard(error));
    }
    more.disabled = false;
  }

  add(shown.spans);
  return element("section", { "aria-label": "Cited passages" }, element("h2", {}, "Cited passages, the newest first"),
    shown.spans.length ? [
      element("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": "Cited passages" },
        element("table", {}, element("caption", { class: "spoken" }, "Cited passages"),
          element("thead", {}, element("tr", {}, ["When", "Passage", "Receipt", "Earned", "State"].map((one) => element("th", { scope: "col" }, one)))), body)),
      more] : element("p", {}, "None yet."));
}

function passageRow(one) {
  const passage = one.document_id === null
    ? `the part of ${one.part.replace("_", " ")}`
    : [element("a", { href: documentAddress(one.datanet, one) }, one.document_id),
        ` ${one.span.start} to ${one.span.end}`, element("span", { class: "small" }, ` ${one.datanet}`)];
  return element("tr", {},
    element("td", {}, time(one.issued_at)), element("td", {}, passage),
    element("td", {}, element("a", { href: `/v1/receipts/${one.receipt}` }, `${one.seq}`)),
    element("td", {}, money(one.amount)),
    element("td", {}, element("span", { class: "state", data: { state: one.status }, title: STATES[one.status] }, one.status)));
}

function statement(account, at) {
  const button = (form, text, type) => element("button", { type: "button", onclick: async (event) => {
    event.target.disabled = true;
    await getText(`${at}/statement?format=${form}`).then((told) => save(`statement-${account}.${form}`, type, told), (error) => tell(error.message));
    event.target.disabled = false;
  } }, text);
  return element("section", { "aria-label": "Statement" }, element("h2", {}, "Statement"),
    element("p", {}, "Every line with its receipt, its batch and its proof, for your books and for checking."),
    element("p", { class: "buttons" }, button("csv", "Download CSV", "text/csv"), button("json", "Download JSON with proofs", "application/json")));
}

// Claiming

function claimCard(shown, ledger) {
  const said = element("div", { role: "status" });
  const nothing = ledger.claimable === "0";
  const data = element("div", {});
  return element("section", { class: "card", "aria-label": "Claim" },
    element("h2", {}, "Claim"),
    element("p", {}, money(ledger.claimable), " can be claimed from the pool ", hash(ledger.pool, "pool's address"), ` on chain ${ledger.chain_id}; `,
      money(ledger.withdrawn), " was withdrawn before."),
    nothing ? element("p", { class: "small" }, "Nothing to claim now.") : [
      element("p", { class: "buttons" },
        window.ethereum ? element("button", { type: "button", class: "main", onclick: () => withWallet(shown, ledger, said) }, "Claim with my wallet") : null,
        element("button", { type: "button", onclick: () => asData(shown, ledger, data) }, "Show the transaction to paste")),
      data],
    said);
}

async function asData(shown, ledger, place) {
  const { claimData } = await import("../lib/wallet.js");
  const data = claimData(shown.address);
  fill(place,
    element("p", {}, "From the contributor's own account; the pool pays what it owes to the address in the data."),
    list(["Chain", String(ledger.chain_id)], ["To", element("code", { class: "long" }, ledger.pool)], ["Value", "0"],
      ["Data", element("code", { class: "long" }, data)]),
    element("button", { type: "button", onclick: () => copy(data) }, "Copy the data"));
}

async function withWallet(shown, ledger, said) {
  const { claim, connected, mined } = await import("../lib/wallet.js");
  try {
    const account = await connected();
    if (account.toLowerCase() !== shown.address.toLowerCase()) {
      throw new Error(`The wallet is at ${account}. Choose ${shown.address} there: only it can claim.`);
    }
    fill(said, waiting("Agree in the wallet…"));
    const sent = await claim(ledger, shown.address);
    fill(said, waiting("Sent; waiting for its block…"));
    const succeeded = await mined(sent);
    fill(said, element("p", { class: succeeded ? "good" : "warning" },
      succeeded ? "Claimed. It shows here when its block is final. " : succeeded === null ? "Not mined yet. " : "The transaction failed. ", hash(sent, "transaction")));
  } catch (error) {
    fill(said, problemCard(error));
  }
}
