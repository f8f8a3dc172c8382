// Which view an address is. Each view is a function that fills the page and may return what ends it.

import { key } from "./lib/api.js";
import { element, fill } from "./lib/dom.js";
import { ask } from "./views/ask.js";
import { evidence } from "./views/evidence.js";

const VIEWS = [
  [/^\/$/, ask],
  [/^\/evidence\/([^/]+)\/([^/]+)$/, evidence],
];

const main = document.getElementById("main");
let end = null;

async function show() {
  end?.();
  end = null;
  for (const link of document.querySelectorAll("nav a")) {
    const here = link.getAttribute("href") === location.pathname;
    link.toggleAttribute("aria-current", here);
    if (here) link.setAttribute("aria-current", "page");
  }
  for (const [pattern, view] of VIEWS) {
    const found = pattern.exec(location.pathname);
    if (found) {
      end = await view(main, ...found.slice(1).map(decodeURIComponent));
      return;
    }
  }
  fill(main, element("h1", {}, "Nothing is here"), element("p", {}, "Go back to the start."));
}

document.body.append(element("p", { id: "spoken", class: "spoken", role: "status" }));
document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a[href^='/']");
  const plain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey;
  const ours = link && VIEWS.some(([pattern]) => pattern.test(link.pathname));
  if (!ours || !plain || link.target) return;
  event.preventDefault();
  history.pushState(null, "", link.href);
  show().then(() => main.focus());
});
addEventListener("popstate", show);

const dialog = document.getElementById("key-dialog");
const input = document.getElementById("key-input");
document.getElementById("key").addEventListener("click", () => {
  input.value = key.get();
  dialog.showModal();
});
dialog.addEventListener("close", () => {
  if (dialog.returnValue === "save") key.set(input.value.trim());
  if (dialog.returnValue === "forget") key.set("");
  input.value = "";
  if (dialog.returnValue) show();
});

show();
