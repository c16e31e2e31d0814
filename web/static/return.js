/** The page that Checkout leads back to: follows the purchase until a worker has credited it. @module */

import { h, part } from "./dom.js";
import { ManaCreditsError, SignInNeeded, Unavailable } from "./mana-credits.js";
import { balance, client, isSignedIn, refresh, texts } from "./page-parts.js";

/** @typedef {import("./mana-credits.js").Purchase} Purchase */

const { t, credits, euro } = texts;
const FOLLOW_MS = 90_000;
/** After this time the page says that the purchase takes longer than usual. */
const SLOW_AFTER_MS = 15_000;
const params = new URLSearchParams(location.search);
const purchaseId = params.get("purchase") ?? "";
const leftCheckoutUnpaid = params.has("cancelled");

/**
 * @param {"waiting" | "done" | "bad"} status
 * @param {string} title @param {string} text @param {...HTMLElement} actions
 */
function show(status, title, text, ...actions) {
  const card = part("purchase");
  card.dataset["status"] = status;
  card.setAttribute("aria-busy", String(status === "waiting"));
  // A text that did not change is not set again, so that screen readers read it once.
  if (part("purchase-state").textContent !== title) part("purchase-state").textContent = title;
  if (part("purchase-text").textContent !== text) part("purchase-text").textContent = text;
  part("purchase-progress").hidden = status !== "waiting";
  part("purchase-actions").replaceChildren(...actions);
}

/** @param {string} href @param {string} textKey @param {boolean} [isQuiet] */
function link(href, textKey, isQuiet = false) {
  return h("a", { href, class: isQuiet ? "button quiet" : "button" }, t(textKey));
}

const shopLink = () => link("/credits", "return.shop", true);
const lookAgainButton = () => h("button", { type: "button", onclick: () => void follow() }, t("return.look"));

/** Say the new balance; nothing if it could not be read. */
function balanceText() {
  const { balance: amount, error } = balance.get();
  return amount === null || error ? "" : t("return.completed.text", { balance: credits(amount) });
}

/**
 * Show the state of a purchase.
 *
 * @param {Purchase} purchase
 * @param {number} waitedMs
 * @returns {Promise<boolean>} Whether to ask again.
 */
async function showPurchase(purchase, waitedMs) {
  const facts = { credits: credits(purchase.credits), price: euro(purchase.priceEuroCents) };
  switch (purchase.status) {
    case "completed":
      await refresh();
      show("done", t("return.completed", facts), balanceText(), link("/credits", "return.shop"));
      return false;
    case "pending":
      if (leftCheckoutUnpaid) {
        const payLinks = purchase.checkoutUrl ? [link(purchase.checkoutUrl, "return.pay")] : [];
        show("bad", t("return.unpaid"), t("return.unpaid.text", facts), ...payLinks, shopLink());
        return false;
      }
      show("waiting", t("return.waiting"), t(waitedMs < SLOW_AFTER_MS ? "return.waiting.text" : "return.slow.text", facts));
      return true;
    default:
      show("bad", t(`return.${purchase.status}`), t(`return.${purchase.status}.text`, facts), shopLink());
      return false;
  }
}

async function follow() {
  const startedAt = Date.now();
  for (let pauseMs = 500; Date.now() - startedAt < FOLLOW_MS; pauseMs = Math.min(pauseMs * 1.3, 5_000)) {
    try {
      if (!await showPurchase(await client.purchases.get(purchaseId), Date.now() - startedAt)) return;
    } catch (error) {
      if (!(error instanceof Unavailable)) return showRefusal(error);
      show("waiting", t("return.waiting"), t("return.unreachable"));
    }
    await new Promise((resolve) => { setTimeout(resolve, pauseMs); });
  }
  show("bad", t("return.long"), t("return.long.text", { purchase: purchaseId }), lookAgainButton(), shopLink());
}

/** @param {unknown} error */
function showRefusal(error) {
  if (error instanceof SignInNeeded) return show("bad", t("error.sign-in"), t("return.safe"));
  const isUnknown = error instanceof ManaCreditsError && error.status === 404;
  show("bad", t(isUnknown ? "return.unknown" : "error.other"), t(isUnknown ? "return.unknown.text" : "return.safe"), shopLink());
}

if (isSignedIn()) void follow();
