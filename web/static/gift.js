/** A gift, as whoever has its link sees it: what it is worth, and how to take it. @module */

import { h, part } from "./dom.js";
import { ManaCreditsError, newKey, SignInNeeded, StillPending, TooManyRequests } from "./mana-credits.js";
import { explained } from "./mana-elements.js";
import { busyWhile, client, isSignedIn, refresh, showProblem, texts } from "./page-parts.js";
import { signIn } from "./session.js";

/** @typedef {import("./mana-credits.js").GiftPage} GiftPage */

const { t, credits, day, number } = texts;
const RECEIVED_MAX = 100;
const code = codeOf(location.pathname);
/** Of taking this gift: the same, however often it is tried. */
const key = newKey();

/** @param {string} path */
function codeOf(path) {
  try {
    return decodeURIComponent(path.split("/")[2] ?? "");
  } catch {
    return ""; // no gift's
  }
}

/**
 * @param {"open" | "done" | "bad"} status
 * @param {string} title @param {(HTMLElement | string)[]} text @param {...HTMLElement} actions
 */
function show(status, title, text, ...actions) {
  const card = part("gift");
  card.dataset["status"] = status;
  card.setAttribute("aria-busy", "false");
  part("gift-state").textContent = title;
  part("gift-text").replaceChildren(...text);
  part("gift-actions").replaceChildren(...actions);
  part("gift-problem").replaceChildren();
}

/** @param {string} key @param {Record<string, string | number>} [facts] @param {string} [look] */
function paragraph(key, facts, look = "") {
  return h("p", { class: look }, t(key, facts));
}

/** @param {string} name @param {() => unknown} act @param {string} [look] */
function button(name, act, look = "") {
  return h("button", { type: "button", class: look, onclick: () => void act() }, t(name));
}

const toCredits = () => h("a", { href: "/credits", class: "button" }, t("gift.to-credits"));

/** @param {GiftPage} gift */
function words({ creatorName, message }) {
  return [
    creatorName ? paragraph("gift.from", { name: creatorName }, "lead") : paragraph("gift.from.nobody", {}, "lead"),
    ...(message ? [h("blockquote", {}, message)] : []),
  ];
}

/** @param {GiftPage} gift */
function showOpen(gift) {
  const title = t("gift.open", { credits: credits(gift.totalCredits) });
  const text = [...words(gift), ...(gift.isPersonalized ? [paragraph("gift.personalized")] : []), paragraph("gift.until", { day: day(gift.expiresAt) }, "quiet")];
  if (!isSignedIn()) return show("open", title, [...text, paragraph("gift.sign-in")], button("gift.sign-in.button", signIn));
  const take = h("button", { type: "button" }, t("gift.redeem"));
  take.addEventListener("click", () => void busyWhile(take, redeem));
  show("open", title, text, take);
}

/** @param {GiftPage} gift */
async function showEnded(gift) {
  const mine = gift.redeemed && isSignedIn() ? await received() : undefined;
  if (mine) return showReceived(mine.creditsReceived, paragraph("gift.mine", { day: day(mine.redeemedAt) }));
  part("other-code").hidden = false;
  show("bad", t(`gift.${gift.status}`), [paragraph(`gift.${gift.status}.text`, { day: day(gift.expiresAt) })]);
}

/** Find this gift among those that the user has taken. */
async function received() {
  const { items } = await client.gifts.received({ limit: RECEIVED_MAX });
  return items.find((one) => plain(one.code) === plain(code));
}

/** Write a code so that two ways to type it are the same. @param {string} typed */
function plain(typed) {
  return typed.normalize("NFKC").toUpperCase().replace(/[^0-9A-Z]/g, "").replaceAll("O", "0").replace(/[IL]/g, "1");
}

/** @param {number} amount @param {HTMLElement} text */
function showReceived(amount, text) {
  show("done", t("gift.received", { credits: credits(amount) }), [text], toCredits());
}

async function redeem() {
  part("gift-problem").replaceChildren();
  try {
    const redeemed = await client.gifts.redeem(code, { key });
    showReceived(redeemed.creditsReceived, paragraph("gift.balance", { balance: credits(redeemed.newBalance) }));
    part("gift-state").focus();
    await refresh();
  } catch (error) {
    const ended = error instanceof ManaCreditsError && ["gift_depleted", "gift_expired", "gift_cancelled"].includes(error.code);
    if (ended) await look();
    else showProblem(part("gift-problem"), error, undefined, explain);
  }
}

/** @param {unknown} error */
function explain(error) {
  if (error instanceof StillPending) return t("gift.slow");
  if (error instanceof TooManyRequests) return t("gift.guesses.text", { minutes: minutes(error) });
  if (error instanceof ManaCreditsError && error.code === "gift_own") return t("gift.own");
  if (error instanceof ManaCreditsError && error.code === "gift_not_for_you") return t("gift.not-for-you");
  return error instanceof SignInNeeded ? t("error.sign-in") : explained(error, texts);
}

/** @param {TooManyRequests} error */
function minutes(error) {
  return number(Math.max(1, Math.ceil(error.retryAfterS / 60)));
}

async function look() {
  try {
    const gift = await client.gifts.get(code);
    if (gift.status === "active") showOpen(gift);
    else await showEnded(gift);
  } catch (error) {
    if (error instanceof TooManyRequests) return show("bad", t("gift.guesses"), [paragraph("gift.guesses.text", { minutes: minutes(error) })], button("again", look, "quiet"));
    if (!(error instanceof ManaCreditsError) || error.status !== 404) return show("bad", t("gift.failed"), [h("p", {}, explain(error))], button("again", look, "quiet"));
    part("other-code").hidden = false;
    show("bad", t("gift.unknown"), [paragraph("gift.unknown.text")]);
  }
}

void look();
