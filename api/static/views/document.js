// A document: its text, at any version it had, with a passage marked where the address names one.

import { get, getText } from "../lib/api.js";
import { element, fill, list, problemCard, waiting } from "../lib/dom.js";
import { address, hash } from "../lib/show.js";
import { flagsOf } from "./datanet.js";
import { textWithMark } from "./evidence.js";

export async function documentPage(main, name, id) {
  fill(main, waiting("Fetching the document…"));
  const query = new URLSearchParams(location.search);
  const at = `/v1/datanets/${encodeURIComponent(name)}`;
  const [start, end] = [Number(query.get("start") ?? 0), Number(query.get("end") ?? 0)];
  try {
    const shown = await get(`${at}/documents/${encodeURIComponent(id)}`).catch((error) => {
      if (error.status === 404 && query.has("version")) return null; // it went since
      throw error;
    });
    const version = query.get("version") ?? shown.version;
    const text = shown?.version === version ? shown.text : await getText(`${at}/texts/${version}`);
    fill(main,
      element("h1", {}, shown?.title || id),
      shown && version !== shown.version ? element("p", { class: "warning" }, "This is an older version. ", element("a", { href: location.pathname }, "See the newest")) : null,
      shown ? null : element("p", { class: "warning" }, "This document is no longer in the Datanet; its text is kept for those who cited it."),
      element("div", { class: "columns" }, textWithMark(text, start, end), aside(name, id, shown, version)));
    document.querySelector("mark")?.scrollIntoView({ block: "center" });
  } catch (error) {
    fill(main, problemCard(error));
  }
}

function aside(name, id, shown, version) {
  const here = `/datanets/${encodeURIComponent(name)}/documents/${encodeURIComponent(id)}`;
  return element("aside", { "aria-label": "About the document" },
    list(
      ["Datanet", element("a", { href: `/datanets/${encodeURIComponent(name)}` }, name)],
      ["Id", id],
      ["Version", hash(version, "version")],
      shown ? ["Licence", shown.license] : null,
      shown?.url ? ["Published at", element("a", { href: shown.url, rel: "noreferrer" }, shown.url)] : null),
    shown ? [
      element("h2", {}, "Contributors"),
      element("ul", { class: "plain" }, shown.contributors.map((one) =>
        element("li", {}, address(one.address, one.name), ` ${(one.share_bps / 100).toFixed(2)} %`))),
      flagsOf(shown.flags).length ? element("ul", { class: "plain" }, flagsOf(shown.flags).map((text) => element("li", { class: "flag" }, text))) : null,
      element("h2", {}, "Versions"),
      element("ol", { class: "plain" }, shown.versions.map((one) => element("li", {},
        element("a", { href: one === shown.version ? here : `${here}?version=${one}`, "aria-current": one === version ? "true" : null },
          one === shown.version ? "newest " : "older "), hash(one, "version")))),
    ] : null);
}
