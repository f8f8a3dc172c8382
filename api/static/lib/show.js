// How money, addresses, times and code points are shown.

import { element } from "./dom.js";

/** Base units as whole tokens; all digits on hover. */
export function money(baseUnits) {
  const digits = String(baseUnits).padStart(19, "0");
  const whole = digits.slice(0, -18);
  const rest = digits.slice(-18).replace(/0+$/, "");
  const exact = `${rest ? `${whole}.${rest}` : whole} tokens`;
  const short = rest ? `${whole}.${rest.slice(0, 4)}${rest.length > 4 ? "…" : ""} tokens` : exact;
  return element("span", { class: "money", title: exact }, short);
}

/** An address, shortened; a press copies all of it. */
export function address(text, name = null) {
  const short = `${text.slice(0, 6)}…${text.slice(-4)}`;
  return element(
    "button",
    {
      class: "address", type: "button", title: `${text}: copy`,
      onclick: () => navigator.clipboard.writeText(text),
    },
    name ? `${name} ` : "",
    element("code", {}, short),
  );
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

export const VERDICTS = {
  supported: "Checked: its source says so",
  partial: "Only a part of this is in its source",
  contradicted: "Its source says otherwise",
  unsupported: "No source was found for this",
};
