/** How many credits were spent in which app, as bars in a table. @module */

import { h, part } from "./dom.js";
import { client, isSignedIn, showProblem, texts } from "./page-parts.js";

const { t, number } = texts;
const DAY_MS = 86_400_000;
const SVG_NAMESPACE = "http://www.w3.org/2000/svg";
/** The thinnest bar that can still be seen, in percent. */
const BAR_MIN_PERCENT = 0.5;
const chart = part("usage");
const periodSelect = /** @type {HTMLSelectElement} */ (part("usage-days"));
let latestRead = 0;

/** Name an app for people. @param {string | null} appId */
export function appName(appId) {
  return appId === "sync" ? t("nav.sync") : appId ?? "–";
}

/** Draw a share of the largest amount, 0 to 1. Hidden from screen readers: the number stands beside it. @param {number} share */
function bar(share) {
  const svg = document.createElementNS(SVG_NAMESPACE, "svg");
  const attributes = { class: "bar", viewBox: "0 0 100 1", preserveAspectRatio: "none", "aria-hidden": "true" };
  for (const [name, value] of Object.entries(attributes)) svg.setAttribute(name, value);
  const filledPart = document.createElementNS(SVG_NAMESPACE, "rect");
  filledPart.setAttribute("width", String(Math.max(share * 100, BAR_MIN_PERCENT)));
  filledPart.setAttribute("height", "1");
  svg.append(filledPart);
  return svg;
}

/** @param {import("./mana-credits.js").Usage} usage */
function usageTable({ items, totalCredits, totalUses }) {
  if (!items.length) return h("p", { class: "quiet" }, t("usage.none"));
  const apps = [...items].sort((app, otherApp) => otherApp.credits - app.credits);
  const largest = Math.max(...apps.map((app) => app.credits), 1);
  return h("table", { "aria-labelledby": "usage-title" },
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, t("history.app")),
      h("th", { scope: "col", class: "number" }, t("usage.credits")), h("th", { scope: "col", class: "number" }, t("usage.uses")))),
    h("tbody", {}, ...apps.map((app) => h("tr", {},
      h("th", { scope: "row" }, appName(app.appId), bar(app.credits / largest)),
      h("td", { class: "number" }, number(app.credits)), h("td", { class: "number" }, number(app.uses))))),
    h("tfoot", {}, h("tr", {}, h("th", { scope: "row" }, t("usage.total")),
      h("td", { class: "number" }, number(totalCredits)), h("td", { class: "number" }, number(totalUses)))));
}

async function showUsage() {
  const thisRead = latestRead += 1;
  chart.setAttribute("aria-busy", "true");
  try {
    const to = new Date(Date.now() + DAY_MS);
    const from = new Date(to.getTime() - Number(periodSelect.value) * DAY_MS);
    const usage = await client.usage.read({ from: from.toISOString().slice(0, 10), to: to.toISOString().slice(0, 10) });
    if (thisRead === latestRead) chart.replaceChildren(usageTable(usage));
  } catch (error) {
    if (thisRead === latestRead) showProblem(chart, error, showUsage);
  }
  if (thisRead === latestRead) chart.setAttribute("aria-busy", "false");
}

if (isSignedIn()) {
  periodSelect.addEventListener("change", showUsage);
  void showUsage();
}
