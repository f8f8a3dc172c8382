// Text into the clipboard; where the browser has none for this page, into a dialog to copy by hand.

import { element, tell } from "./dom.js";

export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    tell("Copied.");
  } catch {
    byHand(text);
  }
}

function byHand(text) {
  const area = element("textarea", { rows: 8, readonly: true, "aria-label": "The text to copy" });
  area.value = text;
  const dialog = element("dialog", {}, element("form", { method: "dialog" },
    element("p", {}, "This browser lets the page copy nothing. Copy it here:"), area,
    element("div", { class: "buttons" }, element("button", {}, "Close"))));
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  area.select();
}

/** Offer a file of ours to be saved. */
export function save(name, type, text) {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const link = element("a", { href: url, download: name });
  link.click();
  URL.revokeObjectURL(url);
}
