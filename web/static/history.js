/** The history: every transaction with the balance after it, filtered. @module */

import { h, part } from "./dom.js";
import { client, isSignedIn, pagedList, texts } from "./page-parts.js";
import { appName } from "./usage.js";

/** @typedef {import("./mana-credits.js").Transaction} Transaction */

const { t, number, signed, time } = texts;
const PAGE_SIZE = 20;
const YEAR_DAYS = 365;
/** Types whose description an app wrote. For the other types the name of the type is enough. */
const TYPES_DESCRIBED_BY_APPS = new Set(["usage", "refund", "hold", "grant"]);
const filterForm = /** @type {HTMLFormElement} */ (part("filters"));
const tableBody = /** @type {HTMLTableElement} */ (part("history")).tBodies[0];

/** @param {Transaction} transaction */
function rowOf({ type, appId, amount, description, createdAt, balanceAfter }) {
  const isSync = type === "usage" && appId === "sync";
  const name = isSync ? t("nav.sync") : type === "gift" && amount < 0 ? t("type.gift.made") : t(`type.${type}`);
  const appWords = TYPES_DESCRIBED_BY_APPS.has(type) && !isSync ? description : "";
  const appSuffix = ["usage", "refund"].includes(type) && !isSync ? `: ${appName(appId)}` : "";
  return h("tr", { tabindex: "-1" },
    h("th", { scope: "row" }, name, appSuffix, appWords && h("span", { class: "said" }, appWords),
      h("time", { class: "quiet small", datetime: createdAt }, time(createdAt))),
    h("td", { class: `number ${amount > 0 ? "good" : ""}` }, signed(amount)),
    h("td", { class: "number" }, number(balanceAfter)));
}

/** Read the filters from their form; its days are in the reader's time zone. */
function readFilters() {
  const fields = new FormData(filterForm);
  const textOf = (/** @type {string} */ name) => String(fields.get(name) ?? "") || undefined;
  const from = textOf("from");
  const to = textOf("to");
  return { type: textOf("type"), appId: textOf("appId"), from: from && midnight(from, 0), to: to && midnight(to, 1) };
}

/** @param {string} day @param {number} daysLater */
function midnight(day, daysLater) {
  const moment = new Date(`${day}T00:00`);
  moment.setDate(moment.getDate() + daysLater);
  return moment.toISOString();
}

async function offerApps() {
  const from = new Date();
  from.setUTCDate(from.getUTCDate() - YEAR_DAYS + 1);
  const { items: apps } = await client.usage.read({ from: from.toISOString().slice(0, 10) });
  part("filter-app").append(...apps.map(({ appId }) => h("option", { value: appId ?? "" }, appName(appId))));
}

if (isSignedIn() && tableBody) {
  const showHistory = pagedList({
    container: tableBody,
    problemArea: part("history-problem"),
    olderButton: part("older"),
    readPage: (cursor) => client.credits.transactions({ limit: PAGE_SIZE, ...readFilters(), ...(cursor && { cursor }) }),
    itemOf: rowOf,
    emptyItem: () => h("tr", {}, h("td", { colspan: "3", class: "quiet" }, t("history.none"))),
    onShown: (shownCount, hasMore) => {
      part("history-count").textContent = shownCount ? t(hasMore ? "history.more" : "history.whole", { shown: number(shownCount) }) : "";
    },
  });
  filterForm.addEventListener("submit", (event) => event.preventDefault());
  filterForm.addEventListener("change", showHistory);
  filterForm.addEventListener("reset", () => { setTimeout(showHistory); }); // the fields are emptied after this event
  void showHistory();
  void offerApps().catch(() => undefined); // the history works without this filter
}
