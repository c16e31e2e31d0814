/** Where Checkout leads back to: follows the purchase until a worker has credited it. @module */

import { h, part } from "./dom.js";
import { ManaCreditsError, SignInNeeded, Unavailable } from "./mana-credits.js";
import { balance, client, isSignedIn, refresh, texts } from "./page-parts.js";

/** @typedef {import("./mana-credits.js").Purchase} Purchase */

const { t, credits, euro } = texts;
const FOLLOW_MS = 90_000;
const PATIENT_MS = 15_000;
const asked = new URLSearchParams(location.search);
const id = asked.get("purchase") ?? "";
const wentBack = asked.has("cancelled");

/**
 * @param {"waiting" | "done" | "bad"} status
 * @param {string} title @param {string} text @param {...HTMLElement} actions
 */
function show(status, title, text, ...actions) {
  const card = part("purchase");
  card.dataset["status"] = status;
  card.setAttribute("aria-busy", String(status === "waiting"));
  // Said once: what stays as it is must not be read out again.
  if (part("purchase-state").textContent !== title) part("purchase-state").textContent = title;
  if (part("purchase-text").textContent !== text) part("purchase-text").textContent = text;
  part("purchase-progress").hidden = status !== "waiting";
  part("purchase-actions").replaceChildren(...actions);
}

/** @param {string} href @param {string} key @param {boolean} [quiet] */
function link(href, key, quiet = false) {
  return h("a", { href, class: quiet ? "button quiet" : "button" }, t(key));
}

const toShop = () => link("/credits", "return.shop", true);
const again = () => h("button", { type: "button", onclick: () => void follow() }, t("return.look"));

/** Tell the balance, if it could be read. */
function balanceNow() {
  const { balance: amount, error } = balance.get();
  return amount === null || error ? "" : t("return.completed.text", { balance: credits(amount) });
}

/** Show where a purchase is. @param {Purchase} purchase @param {number} waitedMs @returns {Promise<boolean>} Whether to look again. */
async function tell(purchase, waitedMs) {
  const facts = { credits: credits(purchase.credits), price: euro(purchase.priceEuroCents) };
  switch (purchase.status) {
    case "completed":
      await refresh();
      show("done", t("return.completed", facts), balanceNow(), link("/credits", "return.shop"));
      return false;
    case "pending":
      if (wentBack) {
        const pay = purchase.checkoutUrl ? [link(purchase.checkoutUrl, "return.pay")] : [];
        show("bad", t("return.unpaid"), t("return.unpaid.text", facts), ...pay, toShop());
        return false;
      }
      show("waiting", t("return.waiting"), t(waitedMs < PATIENT_MS ? "return.waiting.text" : "return.slow.text", facts));
      return true;
    default:
      show("bad", t(`return.${purchase.status}`), t(`return.${purchase.status}.text`, facts), toShop());
      return false;
  }
}

async function follow() {
  const since = Date.now();
  for (let restMs = 500; Date.now() - since < FOLLOW_MS; restMs = Math.min(restMs * 1.3, 5_000)) {
    try {
      if (!await tell(await client.purchases.get(id), Date.now() - since)) return;
    } catch (error) {
      if (!(error instanceof Unavailable)) return refuse(error);
      show("waiting", t("return.waiting"), t("return.unreachable"));
    }
    await new Promise((resolve) => { setTimeout(resolve, restMs); });
  }
  show("bad", t("return.long"), t("return.long.text", { purchase: id }), again(), toShop());
}

/** @param {unknown} error */
function refuse(error) {
  if (error instanceof SignInNeeded) return show("bad", t("error.sign-in"), t("return.safe"));
  const unknown = error instanceof ManaCreditsError && error.status === 404;
  show("bad", t(unknown ? "return.unknown" : "error.other"), t(unknown ? "return.unknown.text" : "return.safe"), toShop());
}

if (isSignedIn()) void follow();
