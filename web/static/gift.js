/** The page of a gift's link: what the gift is worth, and how to redeem it. @module */

import { h, part } from "./dom.js";
import { ManaCreditsError, newKey, SignInNeeded, StillPending, TooManyRequests } from "./mana-credits.js";
import { explained } from "./mana-elements.js";
import { busyWhile, client, isSignedIn, refresh, showProblem, texts } from "./page-parts.js";
import { signIn } from "./session.js";

/** @typedef {import("./mana-credits.js").GiftPage} GiftPage */

const { t, credits, day, number } = texts;
const RECEIVED_MAX = 100;
const giftCode = codeOf(location.pathname);
/** The idempotency key of redeeming this gift: the same for every attempt. */
const redeemKey = newKey();

/** @param {string} path */
function codeOf(path) {
  try {
    return decodeURIComponent(path.split("/")[2] ?? "");
  } catch {
    return ""; // no gift has this code
  }
}

/**
 * @param {"open" | "done" | "bad"} status
 * @param {string} title @param {(HTMLElement | string)[]} paragraphs @param {...HTMLElement} actions
 */
function show(status, title, paragraphs, ...actions) {
  const card = part("gift");
  card.dataset["status"] = status;
  card.setAttribute("aria-busy", "false");
  part("gift-state").textContent = title;
  part("gift-text").replaceChildren(...paragraphs);
  part("gift-actions").replaceChildren(...actions);
  part("gift-problem").replaceChildren();
}

/** @param {string} textKey @param {Record<string, string | number>} [facts] @param {string} [className] */
function paragraph(textKey, facts, className = "") {
  return h("p", { class: className }, t(textKey, facts));
}

/** @param {string} textKey @param {() => unknown} act @param {string} [className] */
function button(textKey, act, className = "") {
  return h("button", { type: "button", class: className, onclick: () => void act() }, t(textKey));
}

const creditsLink = () => h("a", { href: "/credits", class: "button" }, t("gift.to-credits"));

/** @param {GiftPage} gift */
function senderAndMessage({ creatorName, message }) {
  return [
    creatorName ? paragraph("gift.from", { name: creatorName }, "lead") : paragraph("gift.from.nobody", {}, "lead"),
    ...(message ? [h("blockquote", {}, message)] : []),
  ];
}

/** @param {GiftPage} gift */
function showOpen(gift) {
  const title = t("gift.open", { credits: credits(gift.totalCredits) });
  const paragraphs = [
    ...senderAndMessage(gift),
    ...(gift.isPersonalized ? [paragraph("gift.personalized")] : []),
    paragraph("gift.until", { day: day(gift.expiresAt) }, "quiet"),
  ];
  if (!isSignedIn()) return show("open", title, [...paragraphs, paragraph("gift.sign-in")], button("gift.sign-in.button", signIn));
  const redeemButton = h("button", { type: "button" }, t("gift.redeem"));
  redeemButton.addEventListener("click", () => void busyWhile(redeemButton, redeem));
  show("open", title, paragraphs, redeemButton);
}

/** @param {GiftPage} gift */
async function showEnded(gift) {
  const ownGift = gift.redeemed && isSignedIn() ? await findReceived() : undefined;
  if (ownGift) return showReceived(ownGift.creditsReceived, paragraph("gift.mine", { day: day(ownGift.redeemedAt) }));
  part("other-code").hidden = false;
  show("bad", t(`gift.${gift.status}`), [paragraph(`gift.${gift.status}.text`, { day: day(gift.expiresAt) })]);
}

/** Find this gift among those that the user has redeemed. */
async function findReceived() {
  const { items: gifts } = await client.gifts.received({ limit: RECEIVED_MAX });
  return gifts.find((gift) => normalized(gift.code) === normalized(giftCode));
}

/** Write a code so that all ways to type it become the same text. @param {string} code */
function normalized(code) {
  return code.normalize("NFKC").toUpperCase().replace(/[^0-9A-Z]/g, "").replaceAll("O", "0").replace(/[IL]/g, "1");
}

/** @param {number} amount @param {HTMLElement} details */
function showReceived(amount, details) {
  show("done", t("gift.received", { credits: credits(amount) }), [details], creditsLink());
}

async function redeem() {
  part("gift-problem").replaceChildren();
  try {
    const redeemedGift = await client.gifts.redeem(giftCode, { key: redeemKey });
    showReceived(redeemedGift.creditsReceived, paragraph("gift.balance", { balance: credits(redeemedGift.newBalance) }));
    part("gift-state").focus();
    await refresh();
  } catch (error) {
    const hasEnded = error instanceof ManaCreditsError && ["gift_depleted", "gift_expired", "gift_cancelled"].includes(error.code);
    if (hasEnded) await showGift();
    else showProblem(part("gift-problem"), error, undefined, explain);
  }
}

/** @param {unknown} error */
function explain(error) {
  if (error instanceof StillPending) return t("gift.slow");
  if (error instanceof TooManyRequests) return t("gift.guesses.text", { minutes: minutesToWait(error) });
  if (error instanceof ManaCreditsError && error.code === "gift_own") return t("gift.own");
  if (error instanceof ManaCreditsError && error.code === "gift_not_for_you") return t("gift.not-for-you");
  return error instanceof SignInNeeded ? t("error.sign-in") : explained(error, texts);
}

/** @param {TooManyRequests} error */
function minutesToWait(error) {
  return number(Math.max(1, Math.ceil(error.retryAfterS / 60)));
}

async function showGift() {
  try {
    const gift = await client.gifts.get(giftCode);
    if (gift.status === "active") showOpen(gift);
    else await showEnded(gift);
  } catch (error) {
    const againButton = () => button("again", showGift, "quiet");
    if (error instanceof TooManyRequests) {
      return show("bad", t("gift.guesses"), [paragraph("gift.guesses.text", { minutes: minutesToWait(error) })], againButton());
    }
    if (!(error instanceof ManaCreditsError) || error.status !== 404) {
      return show("bad", t("gift.failed"), [h("p", {}, explain(error))], againButton());
    }
    part("other-code").hidden = false;
    show("bad", t("gift.unknown"), [paragraph("gift.unknown.text")]);
  }
}

void showGift();
