/** What was spent in which app, as bars in a table. @module */

import { h, part } from "./dom.js";
import { client, isSignedIn, showProblem, texts } from "./page-parts.js";

const { t, number } = texts;
const DAY_MS = 86_400_000;
const SVG = "http://www.w3.org/2000/svg";
const chart = part("usage");
const days = /** @type {HTMLSelectElement} */ (part("usage-days"));
let asked = 0;

/** Name an app for people. @param {string | null} appId */
export function appName(appId) {
  return appId === "sync" ? t("nav.sync") : appId ?? "–";
}

/** Draw how much of the most something is, 0 to 1. For eyes only: the number stands beside it. @param {number} share */
function bar(share) {
  const drawn = document.createElementNS(SVG, "svg");
  for (const [name, value] of Object.entries({ class: "bar", viewBox: "0 0 100 1", preserveAspectRatio: "none", "aria-hidden": "true" })) drawn.setAttribute(name, value);
  const filled = document.createElementNS(SVG, "rect");
  filled.setAttribute("width", String(Math.max(share * 100, 0.5)));
  filled.setAttribute("height", "1");
  drawn.append(filled);
  return drawn;
}

/** @param {import("./mana-credits.js").Usage} usage */
function table({ items, totalCredits, totalUses }) {
  if (!items.length) return h("p", { class: "quiet" }, t("usage.none"));
  const sorted = [...items].sort((one, other) => other.credits - one.credits);
  const most = Math.max(...sorted.map((one) => one.credits), 1);
  return h("table", { "aria-labelledby": "usage-title" },
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, t("history.app")),
      h("th", { scope: "col", class: "number" }, t("usage.credits")), h("th", { scope: "col", class: "number" }, t("usage.uses")))),
    h("tbody", {}, ...sorted.map((one) => h("tr", {},
      h("th", { scope: "row" }, appName(one.appId), bar(one.credits / most)),
      h("td", { class: "number" }, number(one.credits)), h("td", { class: "number" }, number(one.uses))))),
    h("tfoot", {}, h("tr", {}, h("th", { scope: "row" }, t("usage.total")),
      h("td", { class: "number" }, number(totalCredits)), h("td", { class: "number" }, number(totalUses)))));
}

async function show() {
  const mine = asked += 1;
  chart.setAttribute("aria-busy", "true");
  try {
    const to = new Date(Date.now() + DAY_MS);
    const from = new Date(to.getTime() - Number(days.value) * DAY_MS);
    const usage = await client.usage.read({ from: from.toISOString().slice(0, 10), to: to.toISOString().slice(0, 10) });
    if (mine === asked) chart.replaceChildren(table(usage));
  } catch (error) {
    if (mine === asked) showProblem(chart, error, show);
  }
  if (mine === asked) chart.setAttribute("aria-busy", "false");
}

if (isSignedIn()) {
  days.addEventListener("change", show);
  void show();
}
