// All Datanets that this caller may see, and a way to begin a new one.

import { get } from "../lib/api.js";
import { element, fill, problemCard, waiting } from "../lib/dom.js";
import { counted, time } from "../lib/show.js";
import { uploadForm } from "./upload.js";

export async function datanets(main) {
  fill(main, element("h1", {}, "Datanets"), waiting("Fetching the Datanets…"));
  const begin = element("details", { class: "card" }, element("summary", {}, "Begin a new Datanet"),
    element("p", {}, "A collection of documents whose contributors are paid when an answer cites them."),
    uploadForm(null));
  try {
    const { data } = await get("/v1/datanets");
    const cards = data.map((one) => element("li", { class: "card" },
      element("h2", {}, element("a", { href: `/datanets/${encodeURIComponent(one.id)}` }, one.id)),
      element("p", {}, `${counted(one.documents, "document")} in ${counted(one.chunks, "passage")}, published `,
        time(Date.parse(one.published) / 1000)),
      element("p", { class: "small" }, one.paid ? "Its contributors are paid on chain." : "Registered on no chain: nothing is paid yet."),
      element("a", { href: `/?datanet=${encodeURIComponent(one.id)}` }, "Ask it")));
    begin.open = data.length === 0;
    fill(main, element("h1", {}, "Datanets"),
      data.length ? element("ul", { class: "cards" }, cards) : element("p", {}, "None is published yet."), begin);
  } catch (error) {
    fill(main, element("h1", {}, "Datanets"), problemCard(error), begin);
  }
}
