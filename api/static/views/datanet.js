// A Datanet: what it holds, who contributed, what it answered and owes; for its owner also uploads and
// near-duplicates. Documents come a page at a time, however many there are.

import { get, post } from "../lib/api.js";
import { bars } from "../lib/chart.js";
import { element, fill, list, problemCard, table, waiting } from "../lib/dom.js";
import { address, counted, hash, money, time, tokens } from "../lib/show.js";
import { follow, uploadForm } from "./upload.js";

const PAGE = 50;

export async function datanet(main, name) {
  const at = `/v1/datanets/${encodeURIComponent(name)}`;
  const parts = element("div", {}, waiting("Fetching the Datanet…"));
  document.title = `${name} · Footnote`;

  /** Everything but what its owner does, which stays as it is. */
  async function show() {
    const shown = await get(at);
    fill(parts,
      element("div", { class: "heading" }, element("h1", {}, name),
        element("a", { href: `/?datanet=${encodeURIComponent(name)}`, class: "button" }, "Ask it")),
      facts(shown),
      section("Activity", activity(at, shown)),
      section("Contributors", contributors(at)),
      section("Documents", documentList(name, at)));
  }

  fill(main, parts);
  try {
    await show();
    main.append(owners(name, at, show));
  } catch (error) {
    fill(main, problemCard(error));
  }
}

/** A part of the view that comes when it is there. */
function section(title, coming) {
  const body = element("div", {}, waiting("Fetching…"));
  Promise.resolve(coming).then((made) => fill(body, made), (error) => fill(body, problemCard(error)));
  return element("section", { "aria-label": title }, element("h2", {}, title), body);
}

function facts(shown) {
  const { registration } = shown;
  return element("div", { class: "card facts" }, list(
    ["Holds", `${counted(shown.documents, "document")} in ${counted(shown.chunks, "passage")}`],
    ["Published", time(Date.parse(shown.published) / 1000)],
    ["Snapshot", hash(shown.snapshot, "snapshot")],
    ["On chain", registration ? (shown.registry_version ? `version ${shown.registry_version} of its registry` : "this snapshot is not published there yet") : "registered on no chain"],
    registration ? ["Pool", [hash(registration.pool, "pool's address"), ` on chain ${registration.chain_id}`]] : null,
    registration ? ["Owner", hash(registration.owner, "owner's address")] : null,
    registration ? ["Signers", registration.signers.map((one) => hash(one, "signer's address"))] : null,
    ["Price", [money(shown.policy.price_per_answer), ` an answer, ${shown.policy.parts_ppm.data / 10_000} % of it to contributors`]]));
}

async function activity(at, shown) {
  const found = await get(`${at}/activity`);
  const { money: funds } = found;
  return [
    element("div", { class: "charts" },
      bars("Answers", found.days, (day) => day.answers, (day) => counted(day.answers, "answer")),
      bars("Payouts", found.days, (day) => day.payouts, (day) => `${tokens(day.payouts)} tokens`)),
    funds ? list(
      ["Owed in all", money(funds.owed)], ["Settled", money(funds.settled)],
      ["Pending", [money(funds.pending), funds.in_flight === "0" ? "" : [", of which on its way ", money(funds.in_flight)]]],
      ["In the pool", funds.funds === null ? "no worker has looked yet" : [money(funds.funds), ", seen ", time(funds.funds_seen_at)]],
      ["Lasts for", funds.answers_left === null ? "unknown until something is owed" : `${counted(funds.answers_left, "more answer")}, as dear as those so far`])
      : element("p", {}, shown.paid ? "" : "Nothing is paid: run footnote register to put this Datanet on a chain."),
  ];
}

async function contributors(at) {
  const { data, total } = await get(`${at}/contributors`);
  return [
    table("Contributors by what they earned", ["Contributor", "Documents", "Earned"],
      data.map((one) => [address(one.address, one.name), String(one.documents), money(one.earned)])),
    total > data.length ? element("p", { class: "small" }, `${total - data.length} more earned less.`) : null,
  ].filter(Boolean);
}

// Documents

function documentList(name, at) {
  const search = element("input", { id: "search", type: "search", placeholder: "in title or id" });
  const flagged = element("input", { id: "flagged", type: "checkbox" });
  const rows = element("tbody", {});
  const more = element("button", { type: "button", onclick: () => page() }, "More documents");
  const said = element("p", { class: "small", role: "status" });
  let [next, wanted] = [null, 0];

  async function page(fresh = false) {
    const mine = (wanted += 1);
    more.disabled = true;
    const query = new URLSearchParams({ limit: PAGE, q: search.value });
    if (flagged.checked) query.set("flagged", "true");
    if (!fresh && next !== null) query.set("cursor", next);
    try {
      const found = await get(`${at}/documents?${query}`);
      if (mine !== wanted) return;
      if (fresh) fill(rows);
      rows.append(...found.data.map((one) => row(name, one)));
      next = found.next;
      more.hidden = next === null;
      said.textContent = rows.children.length ? `${counted(rows.children.length, "document")} shown${next === null ? "" : ", there are more"}.` : "None is like that.";
    } catch (error) {
      said.textContent = error.message;
    }
    more.disabled = false;
  }

  let typing = null;
  search.addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(() => page(true), 200);
  });
  flagged.addEventListener("change", () => page(true));
  return page(true).then(() => [
    element("div", { class: "filters" },
      element("div", {}, element("label", { for: "search" }, "Search"), search),
      element("div", { class: "tick" }, flagged, element("label", { for: "flagged" }, "Only with flags"))),
    element("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": "Documents" },
      element("table", {}, element("caption", { class: "spoken" }, "Documents"),
        element("thead", {}, element("tr", {}, ["Document", "Licence", "Version", "Flags"].map((one) => element("th", { scope: "col" }, one)))), rows)),
    said, more,
  ]);
}

function row(name, one) {
  return element("tr", {},
    element("td", {}, element("a", { href: `/datanets/${encodeURIComponent(name)}/documents/${encodeURIComponent(one.id)}` }, one.title || one.id),
      one.title && one.title !== one.id ? element("span", { class: "small" }, ` ${one.id}`) : null),
    element("td", {}, one.license),
    element("td", {}, hash(one.version, "version")),
    element("td", {}, flagsOf(one.flags).map((text) => element("span", { class: "flag" }, text))));
}

/** A document's flags in words; none for most. */
export function flagsOf(flags) {
  return [
    flags.near_duplicates ? `shares text with ${counted(flags.near_duplicates, "other")}` : null,
    flags.sentences_of_others ? `${counted(flags.sentences_of_others, "sentence")} first said by others` : null,
    ...Object.entries(flags.marks).map(([kind, count]) => `${counted(count, "passage")} marked ${kind}`),
  ].filter(Boolean);
}

// For owners

/** What needs the scope ingest; its parts are fetched when somebody opens them. */
function owners(name, at, again) {
  const review = element("div", {}, waiting("Fetching…"));
  const opened = element("details", { class: "card" }, element("summary", {}, "Review near-duplicates"), review);
  opened.addEventListener("toggle", () => opened.open && showReview(review, at));
  return element("section", { "aria-label": "For its owner" }, element("h2", {}, "For its owner"),
    element("details", { class: "card" }, element("summary", {}, "Upload documents"), uploadForm(name, again)), opened);
}

async function showReview(place, at) {
  try {
    const { clusters, total, unrelated } = await get(`${at}/review`);
    fill(place,
      element("p", {}, "A flag is no verdict: documents may share text rightly. Of what they share, the first is cited and paid. A ruling counts for answers from now on."),
      clusters.length ? clusters.map((one) => clusterCard(one, place, at)) : element("p", {}, "No documents share much text."),
      total > clusters.length ? element("p", { class: "small" }, `${total - clusters.length} more; footnote review shows all.`) : null,
      unrelated.length ? element("ul", {}, unrelated.map(([one, other]) => element("li", {}, `${one} and ${other} are ruled unrelated. `,
        ruling("Withdraw", { related: [[one, other]] }, place, at)))) : null);
  } catch (error) {
    fill(place, problemCard(error));
  }
}

function clusterCard(cluster, place, at) {
  return element("article", { class: "card" },
    element("h3", {}, `First: ${cluster.first}`),
    element("ul", { class: "plain" }, cluster.documents.map((one) => element("li", {},
      element("strong", {}, one.title || one.id), ` ${one.id}${one.ruled_first ? ", ruled first" : ""}: ` +
      `${counted(one.sentences_of_others, "sentence")} paid to others, ${counted(one.sentences_in_others, "sentence")} of others paid to it. `,
      one.id === cluster.first ? null : ruling("This one was first", { first: [one.id] }, place, at)))),
    element("ul", { class: "plain" }, cluster.pairs.map((one) => element("li", {},
      `${one.one} and ${one.other} share ${Math.round(one.containment * 100)} %. `,
      ruling("They are unrelated", { unrelated: [[one.one, one.other]] }, place, at)))));
}

function ruling(text, said, place, at) {
  return element("button", { type: "button", class: "quiet", onclick: async () => {
    const progress = element("div", {});
    place.prepend(progress);
    await follow(progress, () => post(`${at}/rulings`, said), () => showReview(place, at));
  } }, text);
}
