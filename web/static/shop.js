/** The shop: the balance, and packages that lead to Checkout. @module */

import { h, part } from "./dom.js";
import { newKey, StillPending } from "./mana-credits.js";
import { explained } from "./mana-elements.js";
import { balance, busyWhile, client, isSignedIn, leaveFor, showProblem, texts } from "./page-parts.js";

/** @typedef {import("./mana-credits.js").Package} Package */

const { t, credits, euro, percent } = texts;
const packageList = part("packages");
const problemArea = part("buying");
/** Below this share a package saves too little to mention it. */
const SAVING_MIN = 0.001;
/** The purchase that began and has not led to Checkout yet. @type {{ packageId: string, key: string } | null} */
let intent = null;
let isBuying = false;

/** @param {string} packageId */
async function buy(packageId) {
  if (intent?.packageId !== packageId) intent = { packageId, key: newKey() };
  const returnUrl = `${location.origin}/credits/return?purchase={PURCHASE_ID}`;
  problemArea.replaceChildren();
  try {
    const started = await client.purchases.start(
      { packageId, successUrl: returnUrl, cancelUrl: `${returnUrl}&cancelled=1` }, { key: intent.key },
    );
    intent = null;
    await leaveFor(started.checkoutUrl ?? returnUrl.replace("{PURCHASE_ID}", started.purchaseId));
  } catch (error) {
    showProblem(problemArea, error, undefined, explain);
  }
}

/** @param {unknown} error */
function explain(error) {
  return error instanceof StillPending ? t("shop.slow") : explained(error, texts);
}

/**
 * Make the item of a package, in the reader's language. The package's own name and description are not shown: the
 * operator wrote them in one language only.
 *
 * @param {Package} offer
 */
function packageItem(offer) {
  const amount = credits(offer.credits);
  const price = euro(offer.priceEuroCents);
  const saving = 1 - offer.priceEuroCents / offer.credits;
  const button = h("button", { type: "button", "aria-label": t("shop.buy.label", { credits: amount, price }) }, t("shop.buy"));
  button.addEventListener("click", async () => {
    if (isBuying) return;
    isBuying = true;
    await busyWhile(button, () => buy(offer.id));
    isBuying = false;
  });
  return h("li", { class: "card package" },
    h("h3", {}, amount),
    h("p", { class: "price" }, price, " ",
      saving > SAVING_MIN ? h("span", { class: "tag" }, t("shop.saved", { percent: percent(saving) })) : ""),
    button);
}

async function showPackages() {
  problemArea.replaceChildren();
  try {
    const packages = await client.purchases.packages();
    packageList.replaceChildren(...packages.map(packageItem));
    if (!packages.length) problemArea.replaceChildren(h("p", { class: "quiet" }, t("shop.none")));
  } catch (error) {
    packageList.replaceChildren();
    showProblem(problemArea, error, showPackages);
  }
  packageList.setAttribute("aria-busy", "false");
}

if (isSignedIn()) {
  const balanceElement = part("balance");
  balance.subscribe(({ balance: amount, error }) => {
    balanceElement.classList.toggle("skeleton", amount === null && !error);
    balanceElement.textContent = amount === null ? t("balance.unknown") : credits(amount);
  });
  void showPackages();
}
