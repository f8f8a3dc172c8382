// A document: its text, at any version it had, with a passage marked where the address names one.

import { get, getText } from "../lib/api.js";
import { element, fill, list, problemCard, waiting } from "../lib/dom.js";
import { sha256 } from "../lib/sha256.js";
import { address, hash } from "../lib/show.js";
import { flagsOf } from "./datanet.js";
import { textWithMark } from "./evidence.js";

const VERSION = /^sha256:[0-9a-f]{64}$/;

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
    if (!VERSION.test(version) || (shown && !shown.versions.includes(version))) {
      throw new Error("This document never had that version.");
    }
    const text = shown?.version === version ? shown.text : await getText(`${at}/texts/${version}`);
    if (`sha256:${await sha256(text)}` !== version) throw new Error("The text that came is not that version.");
    const heading = shown ? shown.title || id : "A text that is no longer listed";
    document.title = `${heading} · ${name} · Footnote`;
    fill(main,
      element("h1", {}, heading),
      shown && version !== shown.version ? element("p", { class: "warning" }, "This is an older version. ", element("a", { href: location.pathname }, "See the newest")) : null,
      shown ? null : element("p", { class: "warning" }, "No document of this Datanet is listed under that address any more; its text is kept for those who cited it."),
      element("div", { class: "columns" }, textWithMark(text, start, end), aside(name, id, shown, version)));
    main.querySelector("mark")?.scrollIntoView({ block: "center" });
  } catch (error) {
    fill(main, problemCard(error));
  }
}

function aside(name, id, shown, version) {
  const here = `/datanets/${encodeURIComponent(name)}/documents/${encodeURIComponent(id)}`;
  return element("aside", { "aria-label": "About the document" },
    list(
      ["Datanet", element("a", { href: `/datanets/${encodeURIComponent(name)}` }, name)],
      shown ? ["Id", id] : null,
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
