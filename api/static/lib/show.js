// How money, addresses, times and code points are shown.

import { copy } from "./copy.js";
import { element, svg } from "./dom.js";

const DECIMALS = 18;

/** Base units as whole tokens; all digits on hover. */
export function money(baseUnits, unit = "tokens") {
  const exact = tokens(baseUnits);
  const [whole, rest = ""] = exact.split(".");
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, " ");
  const leading = /^0*/.exec(rest)[0].length;
  const kept = whole === "0" ? Math.max(4, leading + 2) : 4;
  const short = rest ? `${grouped}.${rest.slice(0, kept)}${rest.length > kept ? "…" : ""}` : grouped;
  return element("span", { class: "money", title: `${exact} ${unit} = ${baseUnits} base units` }, `${short} ${unit}`);
}

/** Base units as whole tokens, to the last digit. */
export function tokens(baseUnits) {
  const digits = String(baseUnits).padStart(DECIMALS + 1, "0");
  const rest = digits.slice(-DECIMALS).replace(/0+$/, "");
  const whole = digits.slice(0, -DECIMALS);
  return rest ? `${whole}.${rest}` : whole;
}

/** An address, shortened, with its name where one is known: a link to what it earned, and a button
 * that copies all of it. */
export function address(text, name = null) {
  return element("span", { class: "address" },
    element("a", { href: `/contributors/${text}`, title: text }, name ? [element("bdi", {}, name), " "] : null, element("code", {}, short(text))),
    copyButton(text, `Copy the address ${text}`));
}

/** A hash, shortened, with a button that copies all of it. */
export function hash(text, what = "hash") {
  return element("span", { class: "address" },
    element("code", { title: text }, short(text.replace("sha256:", ""))), copyButton(text, `Copy the ${what} ${text}`));
}

function copyButton(text, label) {
  return element("button", { class: "copy", type: "button", "aria-label": label, title: "Copy", onclick: () => copy(text) },
    svg("svg", { viewBox: "0 0 16 16", "aria-hidden": "true" },
      svg("rect", { x: 1.5, y: 1.5, width: 9, height: 9, rx: 1.5 }), svg("path", { d: "M13 5.5h1.5v9h-9V13" })));
}

function short(text) {
  return `${text.slice(0, 6)}…${text.slice(-4)}`;
}

/** Seconds since 1970 as local time; UTC on hover. */
export function time(seconds) {
  const at = new Date(seconds * 1000);
  const shown = at.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
  return element("time", { datetime: at.toISOString(), title: at.toUTCString() }, shown);
}

/** Code points `[start, end)` of a text: JavaScript's own indices count something else. */
export function codePoints(text) {
  const points = Array.from(text);
  return (start, end) => points.slice(start, end).join("");
}

/** A number with its noun. */
export function counted(count, one, many = `${one}s`) {
  return `${count.toLocaleString("en").replaceAll(",", " ")} ${count === 1 ? one : many}`;
}

export const VERDICTS = {
  supported: "Checked: its source says so",
  partial: "Only a part of this is in its source",
  contradicted: "Its source says otherwise",
  unsupported: "No source was found for this",
};

export const STATES = {
  pending: "Pending: waits for its batch",
  batched: "On its way to the chain",
  settled: "Settled: credited on chain",
  ineligible: "Earns nothing",
};
