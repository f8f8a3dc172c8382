// Elements from data. Text is always text: nothing here ever parses HTML.

/** An element with properties and children; `null` children are left out. */
export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "class") made.className = value;
    else if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name === "data") Object.assign(made.dataset, value);
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return made;
}

/** The same for drawings. */
export function svg(tag, properties, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(properties)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/** Put `children` in the place of everything in `parent`. */
export function fill(parent, ...children) {
  parent.replaceChildren(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
}

/** A table whose numbers stand below each other; `rows` hold text or elements. */
export function table(caption, headings, rows, properties = {}) {
  return element("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": caption },
    element("table", properties,
      element("caption", { class: "spoken" }, caption),
      element("thead", {}, element("tr", {}, headings.map((one) => element("th", { scope: "col" }, one)))),
      element("tbody", {}, rows.map((cells) => element("tr", {}, cells.map((cell) => element("td", {}, cell)))))));
}

/** Names with their values. */
export function list(...rows) {
  return element("dl", {}, rows.filter(Boolean).map(([name, value]) =>
    element("div", {}, element("dt", {}, name), element("dd", {}, value))));
}

/** What cannot be shown, and what to do. */
export function problemCard(error, heading = null) {
  return element("article", { class: "card problem", role: "alert" },
    heading ? element("h2", {}, heading) : null,
    element("p", {}, error.message),
    error.status === 401 ? element("p", {}, "Press Key above, and paste one.") : null);
}

/** What stands there while something is fetched. */
export const waiting = (what) => element("p", { class: "progress", role: "status" }, what);

/** What a screen reader says now. */
export function say(text) {
  document.getElementById("spoken").textContent = text;
}

let telling = null;

/** A word to everybody, which goes away by itself. */
export function tell(text) {
  say(text);
  document.querySelector(".toast")?.remove();
  const toast = element("p", { class: "toast", "aria-hidden": "true" }, text);
  document.body.append(toast);
  clearTimeout(telling);
  telling = setTimeout(() => toast.remove(), 5000);
}
