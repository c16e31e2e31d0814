/** The history: every movement of credits with the balance it left, filtered. @module */

import { h, part } from "./dom.js";
import { client, isSignedIn, pagedList, texts } from "./page-parts.js";
import { appName } from "./usage.js";

/** @typedef {import("./mana-credits.js").Transaction} Transaction */

const { t, number, signed, time } = texts;
const PAGE = 20;
const YEAR_DAYS = 365;
/** Types whose description is the words of an app; for the others the type says it all. */
const TOLD_BY_APPS = new Set(["usage", "refund", "hold", "grant"]);
const filters = /** @type {HTMLFormElement} */ (part("filters"));
const rows = /** @type {HTMLTableElement} */ (part("history")).tBodies[0];

/** @param {Transaction} one */
function row(one) {
  const isSync = one.type === "usage" && one.appId === "sync";
  const name = isSync ? t("nav.sync") : one.type === "gift" && one.amount < 0 ? t("type.gift.made") : t(`type.${one.type}`);
  const told = TOLD_BY_APPS.has(one.type) && !isSync ? one.description : "";
  const where = ["usage", "refund"].includes(one.type) && !isSync ? `: ${appName(one.appId)}` : "";
  return h("tr", { tabindex: "-1" },
    h("th", { scope: "row" }, name, where, told && h("span", { class: "said" }, told),
      h("time", { class: "quiet small", datetime: one.createdAt }, time(one.createdAt))),
    h("td", { class: `number ${one.amount > 0 ? "good" : ""}` }, signed(one.amount)),
    h("td", { class: "number" }, number(one.balanceAfter)));
}

/** Give what is filtered by; days are the reader's own. */
function wanted() {
  const told = new FormData(filters);
  const text = (/** @type {string} */ name) => String(told.get(name) ?? "") || undefined;
  const from = text("from");
  const to = text("to");
  return { type: text("type"), appId: text("appId"), from: from && midnight(from, 0), to: to && midnight(to, 1) };
}

/** @param {string} day @param {number} later In days. */
function midnight(day, later) {
  const moment = new Date(`${day}T00:00`);
  moment.setDate(moment.getDate() + later);
  return moment.toISOString();
}

async function offerApps() {
  const from = new Date();
  from.setUTCDate(from.getUTCDate() - YEAR_DAYS + 1);
  const { items } = await client.usage.read({ from: from.toISOString().slice(0, 10) });
  part("filter-app").append(...items.map(({ appId }) => h("option", { value: appId ?? "" }, appName(appId))));
}

if (isSignedIn() && rows) {
  const show = pagedList({
    items: rows,
    problem: part("history-problem"),
    older: part("older"),
    read: (cursor) => client.credits.transactions({ limit: PAGE, ...wanted(), ...(cursor && { cursor }) }),
    show: row,
    empty: () => h("tr", {}, h("td", { colspan: "3", class: "quiet" }, t("history.none"))),
    told: (shown, more) => { part("history-count").textContent = shown ? t(more ? "history.more" : "history.whole", { shown: number(shown) }) : ""; },
  });
  filters.addEventListener("submit", (event) => event.preventDefault());
  filters.addEventListener("change", show);
  filters.addEventListener("reset", () => { setTimeout(show); }); // after the fields are empty
  void show();
  void offerApps().catch(() => undefined); // without it, there is one filter less
}
