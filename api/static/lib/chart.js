// Bars by day, with the same numbers in a table for whoever cannot see them.

import { element, svg } from "./dom.js";

const [WIDTH, HEIGHT, BAR] = [540, 120, 6];

/** The last 90 UTC days. `days` hold `date`; `sizeOf` gives a number or a BigInt, `shownOf` its text. */
export function bars(title, days, sizeOf, shownOf) {
  const byDate = new Map(days.map((day) => [day.date, day]));
  const today = Math.floor(Date.now() / 86_400_000);
  const dates = Array.from({ length: 90 }, (_, i) => new Date((today - 89 + i) * 86_400_000).toISOString().slice(0, 10));
  const most = days.reduce((top, day) => (BigInt(sizeOf(day)) > top ? BigInt(sizeOf(day)) : top), 0n) || 1n;
  const made = dates.flatMap((date, i) => {
    const day = byDate.get(date);
    if (!day || BigInt(sizeOf(day)) === 0n) return [];
    const height = Math.max(2, Number((BigInt(sizeOf(day)) * 1000n) / most) * (HEIGHT / 1000));
    return [svg("rect", { x: i * BAR, y: HEIGHT - height, width: BAR - 1, height }, svg("title", {}, `${date}: ${shownOf(day)}`))];
  });
  const drawing = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT + 1}`, class: "chart", preserveAspectRatio: "none", role: "img", "aria-label": `${title}, by day` },
    svg("line", { x1: 0, x2: WIDTH, y1: HEIGHT + 0.5, y2: HEIGHT + 0.5 }), ...made);
  return element("figure", {},
    element("figcaption", {}, title), drawing,
    element("p", { class: "small ends" }, element("span", {}, dates[0]), element("span", {}, "today (UTC)")),
    days.length
      ? element("details", {}, element("summary", {}, "As a table"),
          element("table", {}, element("thead", {}, element("tr", {}, element("th", { scope: "col" }, "Day"), element("th", { scope: "col" }, title))),
            element("tbody", {}, days.map((day) => element("tr", {}, element("td", {}, day.date), element("td", {}, shownOf(day)))))))
      : element("p", { class: "small" }, "Nothing in the last 90 days."));
}
