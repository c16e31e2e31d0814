/** The user's gifts: create them, pass them on, cancel them, and see those received. @module */

import { confirmed, h, part } from "./dom.js";
import { copyButton, qrCode } from "./gift-link.js";
import { ManaCreditsError, newKey } from "./mana-credits.js";
import { explained } from "./mana-elements.js";
import { balance, busyWhile, client, isSignedIn, pagedList, refresh, showProblem, texts } from "./page-parts.js";

/** @typedef {import("./mana-credits.js").Gift} Gift */
/** @typedef {import("./mana-credits.js").ReceivedGift} ReceivedGift */

const { t, credits, day } = texts;
const PAGE_SIZE = 20;
const createForm = /** @type {HTMLFormElement} */ (part("create"));
const amountInput = /** @type {HTMLInputElement} */ (part("gift-amount"));
/** The idempotency key of the gift in the form. Another gift needs another key. @type {string | null} */
let createKey = null;

/** Show how many credits would be left after the gift in the form. */
function showRemaining() {
  const available = balance.get().balance;
  if (available === null) return;
  const amount = amountInput.valueAsNumber || 0;
  const remaining = available - amount;
  const isShort = remaining < 0;
  const hint = part("gift-left");
  hint.classList.toggle("bad", isShort);
  hint.replaceChildren(
    t(isShort ? "gifts.short" : amount ? "gifts.left" : "gifts.has", { balance: credits(available), left: credits(remaining) }),
    ...(isShort ? [" ", h("a", { href: "/credits" }, t("top-up"))] : []));
}

async function createGift() {
  const fields = new FormData(createForm);
  const textOf = (/** @type {string} */ name) => String(fields.get(name) ?? "").trim();
  createKey ??= newKey();
  part("create-problem").replaceChildren();
  try {
    const gift = await client.gifts.create({
      totalCredits: amountInput.valueAsNumber,
      expirationDays: Number(textOf("days")),
      ...(textOf("message") && { message: textOf("message") }),
      ...(textOf("email") && { targetEmail: textOf("email") }),
    }, { key: createKey });
    createKey = null;
    createForm.reset();
    showCreated(gift);
    await Promise.all([refresh(), showGifts()]);
  } catch (error) {
    showProblem(part("create-problem"), error, undefined, explainCreating);
  }
}

/** @param {unknown} error */
function explainCreating(error) {
  const invalidFields = error instanceof ManaCreditsError ? error.errors.map(({ field }) => field) : [];
  return invalidFields.includes("targetEmail") ? t("gifts.bad-email") : explained(error, texts);
}

/** @param {Gift} gift */
function showCreated(gift) {
  const title = h("h2", { id: "created-gift-title", tabindex: "-1" }, t("gifts.ready", { credits: credits(gift.totalCredits) }));
  part("created-gift").replaceChildren(title,
    h("p", {}, t(gift.targetEmail ? "gifts.ready.personalized" : "gifts.ready.text", { email: gift.targetEmail ?? "", day: day(gift.expiresAt) })),
    h("label", { for: "gift-link" }, t("gifts.link")),
    h("div", { class: "row" }, h("input", { id: "gift-link", class: "grow", readonly: true, value: gift.url }), copyButton(gift)),
    qrCode(gift));
  part("created-gift").hidden = false;
  title.focus();
}

/** @param {Gift} gift */
function showQrCode(gift) {
  const closeButton = h("button", { type: "button", class: "quiet" }, t("close"));
  const dialog = h("dialog", { "aria-labelledby": "qr-title" },
    h("h2", { id: "qr-title" }, t("gifts.qr.title", { credits: credits(gift.totalCredits) })),
    qrCode(gift), h("div", { class: "row end" }, closeButton));
  const opener = document.activeElement;
  closeButton.addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => {
    dialog.remove();
    if (opener instanceof HTMLElement) opener.focus();
  });
  document.body.append(dialog);
  dialog.showModal();
}

/** @param {Gift} gift */
async function cancelGift(gift) {
  const facts = { credits: credits(gift.totalCredits) };
  const cancelKey = newKey();
  const words = {
    title: t("gifts.cancel.title"), text: t("gifts.cancel.text", facts), yes: t("gifts.cancel.yes"), no: t("gifts.cancel.no"),
    wait: t("wait"), grave: true,
  };
  const isCancelled = await confirmed(document.body, words, () => client.gifts.cancel(gift.id, { key: cancelKey }), explainCancelling);
  if (isCancelled) part("gifts-status").textContent = t("gifts.cancelled", facts);
  await Promise.all([refresh(), showGifts()]);
  if (isCancelled) part("created-title").focus(); // the button that had the focus no longer exists
}

/** @param {unknown} error */
function explainCancelling(error) {
  return error instanceof ManaCreditsError && error.status === 400 ? t("gifts.cancel.late") : explained(error, texts);
}

/** @param {string} status */
function statusTag(status) {
  return h("span", { class: "tag", "data-status": status }, t(`gift.status.${status}`));
}

/** @param {string | null} message */
function messageQuote(message) {
  return message ? h("blockquote", {}, message) : "";
}

/** @param {Gift} gift */
function createdItem(gift) {
  const isOpen = gift.status === "active";
  const actions = !isOpen ? "" : h("div", { class: "row" }, copyButton(gift, "quiet"),
    actionButton(gift, "gifts.qr", () => showQrCode(gift)), actionButton(gift, "gifts.cancel", () => void cancelGift(gift)));
  return h("li", { class: "card gift", tabindex: "-1" },
    h("div", { class: "row apart" }, h("h3", {}, credits(gift.totalCredits)), statusTag(gift.status)),
    messageQuote(gift.message),
    h("p", { class: "quiet small" }, t("gifts.made", { day: day(gift.createdAt) }),
      gift.targetEmail ? ` · ${t("gifts.for", { email: gift.targetEmail })}` : "",
      isOpen ? ` · ${t("gifts.until", { day: day(gift.expiresAt) })}` : ""),
    actions);
}

/** Make a button whose name also says which gift it acts on. @param {Gift} gift @param {string} textKey @param {() => void} act */
function actionButton(gift, textKey, act) {
  return h("button", { type: "button", class: "quiet", onclick: act }, t(textKey), h("span", { class: "unseen" }, ` (${credits(gift.totalCredits)})`));
}

/** @param {ReceivedGift} gift */
function receivedItem(gift) {
  const facts = { name: gift.creatorName ?? "", day: day(gift.redeemedAt) };
  return h("li", { class: "card gift", tabindex: "-1" },
    h("h3", {}, credits(gift.creditsReceived)),
    messageQuote(gift.message),
    h("p", { class: "quiet small" }, t(gift.creatorName ? "gifts.from" : "gifts.from.nobody", facts)));
}

/**
 * @template T
 * @param {"created" | "received"} name
 * @param {(paging: import("./mana-credits.js").Paging) => Promise<import("./mana-credits.js").Listed<T>>} readPage
 * @param {(gift: T) => HTMLElement} itemOf
 */
function giftList(name, readPage, itemOf) {
  return pagedList({
    container: part(name),
    problemArea: part(`${name}-problem`),
    olderButton: part(`${name}-older`),
    readPage: (cursor) => readPage({ limit: PAGE_SIZE, ...(cursor && { cursor }) }),
    itemOf,
    emptyItem: () => h("li", { class: "quiet" }, t(`gifts.${name}.none`)),
  });
}

const showGifts = giftList("created", client.gifts.created, createdItem);

if (isSignedIn()) {
  balance.subscribe(showRemaining);
  createForm.addEventListener("input", () => {
    createKey = null;
    showRemaining();
  });
  createForm.addEventListener("submit", (event) => {
    event.preventDefault();
    void busyWhile(/** @type {HTMLElement} */ (createForm.querySelector("button")), createGift);
  });
  void showGifts();
  void giftList("received", client.gifts.received, receivedItem)();
}
