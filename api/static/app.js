// Which view an address is. Each view is a function that fills the page and may return what ends it;
// but for asking, a view is loaded when it is shown first.

import { key } from "./lib/api.js";
import { element, fill, problemCard } from "./lib/dom.js";
import { ask, forgetAnswers } from "./views/ask.js";

const later = (name, view) => async (...given) => (await import(`./views/${name}.js`))[view](...given);
const VIEWS = [
  [/^\/$/, "Ask", ask],
  [/^\/answers\/([^/]+)$/, "Answer", later("answer", "answerPage")],
  [/^\/evidence\/([^/]+)\/([^/]+)$/, "Evidence", later("evidence", "evidence")],
  [/^\/datanets$/, "Datanets", later("datanets", "datanets")],
  [/^\/datanets\/([^/]+)$/, "Datanet", later("datanet", "datanet")],
  [/^\/datanets\/([^/]+)\/documents\/(.+)$/, "Document", later("document", "documentPage")],
  [/^\/contributors$/, "Contributors", later("contributor", "lookup")],
  [/^\/contributors\/([^/]+)$/, "Contributor", later("contributor", "contributor")],
  [/^\/operator$/, "Operator", later("operator", "operator")],
];

const main = document.getElementById("main");
let end = null;
let shown = 0;
let at = "";

async function show() {
  end?.();
  end = null;
  const mine = (shown += 1);
  at = location.pathname + location.search;
  const place = element("div", {}); // its own: what a view still fetches when it was left shows nowhere
  fill(main, place);
  for (const link of document.querySelectorAll("nav a")) {
    const section = link.getAttribute("href");
    const here = section === "/" ? location.pathname === "/" : location.pathname.startsWith(section);
    if (here) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  for (const [pattern, title, view] of VIEWS) {
    const found = pattern.exec(location.pathname);
    if (!found) continue;
    document.title = title === "Ask" ? "Footnote" : `${title} · Footnote`;
    try {
      const ended = await view(place, ...found.slice(1).map(decodeURIComponent));
      if (mine === shown) end = ended;
      else ended?.();
    } catch (error) {
      fill(place, problemCard(error instanceof URIError ? new Error("That address cannot be read.") : error));
    }
    return;
  }
  fill(place, element("h1", {}, "Nothing is here"), element("p", {}, element("a", { href: "/" }, "Go back to the start.")));
}

document.body.append(element("p", { id: "spoken", class: "spoken", role: "status" }));
document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a[href^='/']");
  const plain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey;
  const ours = link && VIEWS.some(([pattern]) => pattern.test(link.pathname));
  if (!ours || !plain || link.target || event.defaultPrevented) return;
  event.preventDefault();
  history.pushState(null, "", link.href);
  show().then(() => {
    main.focus({ preventScroll: true });
    if (!document.querySelector("mark")) scrollTo(0, 0);
  });
});
addEventListener("popstate", () => at !== location.pathname + location.search && show()); // not for #main

const dialog = document.getElementById("key-dialog");
const input = document.getElementById("key-input");
document.getElementById("key").addEventListener("click", () => {
  input.value = key.get();
  dialog.showModal();
});
dialog.addEventListener("close", () => {
  if (dialog.returnValue === "save") key.set(input.value.trim());
  if (dialog.returnValue === "forget") key.set("");
  if (dialog.returnValue) forgetAnswers();
  input.value = "";
  if (dialog.returnValue) show();
});

show();
