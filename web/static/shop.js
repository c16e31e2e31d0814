/** The shop: the balance, and packages that lead to Checkout. @module */

import { h, part } from "./dom.js";
import { newKey, StillPending } from "./mana-credits.js";
import { explained } from "./mana-elements.js";
import { balance, busyWhile, client, isSignedIn, leaveFor, showProblem, texts } from "./page-parts.js";

/** @typedef {import("./mana-credits.js").Package} Package */

const { t, credits, euro, percent } = texts;
const list = part("packages");
const problem = part("buying");
/** The purchase that was begun and has not led to Checkout yet. @type {{ packageId: string, key: string } | null} */
let intent = null;
let buying = false;

/** @param {Package} wanted */
async function buy(wanted) {
  if (intent?.packageId !== wanted.id) intent = { packageId: wanted.id, key: newKey() };
  const back = `${location.origin}/credits/return?purchase={PURCHASE_ID}`;
  problem.replaceChildren();
  try {
    const started = await client.purchases.start(
      { packageId: wanted.id, successUrl: back, cancelUrl: `${back}&cancelled=1` }, { key: intent.key },
    );
    intent = null;
    await leaveFor(started.checkoutUrl ?? back.replace("{PURCHASE_ID}", started.purchaseId));
  } catch (error) {
    showProblem(problem, error, undefined, (told) => told instanceof StillPending ? t("shop.slow") : explained(told, texts));
  }
}

/** What a package is, in the reader's language; its name and description are the operator's, in one. @param {Package} one */
function offer(one) {
  const saved = 1 - one.priceEuroCents / one.credits;
  const button = h("button", { type: "button", "aria-label": t("shop.buy.label", { credits: credits(one.credits), price: euro(one.priceEuroCents) }) },
    t("shop.buy"));
  button.addEventListener("click", async () => {
    if (buying) return;
    buying = true;
    await busyWhile(button, () => buy(one));
    buying = false;
  });
  return h("li", { class: "card package" },
    h("h3", {}, credits(one.credits)),
    h("p", { class: "price" }, euro(one.priceEuroCents), " ", saved > 0.001 ? h("span", { class: "tag" }, t("shop.saved", { percent: percent(saved) })) : ""),
    button);
}

async function showPackages() {
  problem.replaceChildren();
  try {
    const packages = await client.purchases.packages();
    list.replaceChildren(...packages.map(offer));
    if (!packages.length) problem.replaceChildren(h("p", { class: "quiet" }, t("shop.none")));
  } catch (error) {
    list.replaceChildren();
    showProblem(problem, error, showPackages);
  }
  list.setAttribute("aria-busy", "false");
}

if (isSignedIn()) {
  const amount = part("balance");
  balance.subscribe((told) => {
    amount.classList.toggle("skeleton", told.balance === null && !told.error);
    amount.textContent = told.balance === null ? t("balance.unknown") : credits(told.balance);
  });
  void showPackages();
}
