/** Gifts: making them, giving them away, taking them back, and those one was given. @module */

import { confirmed, h, part } from "./dom.js";
import { copyButton, qrCode } from "./gift-link.js";
import { ManaCreditsError, newKey } from "./mana-credits.js";
import { explained } from "./mana-elements.js";
import { balance, busyWhile, client, isSignedIn, pagedList, refresh, showProblem, texts } from "./page-parts.js";

/** @typedef {import("./mana-credits.js").Gift} Gift */
/** @typedef {import("./mana-credits.js").ReceivedGift} ReceivedGift */

const { t, credits, day } = texts;
const PAGE = 20;
const form = /** @type {HTMLFormElement} */ (part("create"));
const amount = /** @type {HTMLInputElement} */ (part("gift-amount"));
/** Of the gift that is being made; another gift needs another one. @type {string | null} */
let key = null;

/** Say what would be left. */
function showWhatIsLeft() {
  const has = balance.get().balance;
  if (has === null) return;
  const given = amount.valueAsNumber || 0;
  const left = has - given;
  const hint = part("gift-left");
  hint.classList.toggle("bad", left < 0);
  hint.replaceChildren(t(left < 0 ? "gifts.short" : given ? "gifts.left" : "gifts.has", { balance: credits(has), left: credits(left) }),
    ...(left < 0 ? [" ", h("a", { href: "/credits" }, t("top-up"))] : []));
}

async function create() {
  const told = new FormData(form);
  const text = (/** @type {string} */ name) => String(told.get(name) ?? "").trim();
  key ??= newKey();
  part("create-problem").replaceChildren();
  try {
    const gift = await client.gifts.create({
      totalCredits: amount.valueAsNumber,
      expirationDays: Number(text("days")),
      ...(text("message") && { message: text("message") }),
      ...(text("email") && { targetEmail: text("email") }),
    }, { key });
    key = null;
    form.reset();
    showCreated(gift);
    await Promise.all([refresh(), showGifts()]);
  } catch (error) {
    showProblem(part("create-problem"), error, undefined, explainCreating);
  }
}

/** @param {unknown} error */
function explainCreating(error) {
  const fields = error instanceof ManaCreditsError ? error.errors.map((one) => one.field) : [];
  return fields.includes("targetEmail") ? t("gifts.bad-email") : explained(error, texts);
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
  const close = h("button", { type: "button", class: "quiet" }, t("close"));
  const dialog = h("dialog", { "aria-labelledby": "qr-title" }, h("h2", { id: "qr-title" }, t("gifts.qr.title", { credits: credits(gift.totalCredits) })),
    qrCode(gift), h("div", { class: "row end" }, close));
  const opener = document.activeElement;
  close.addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => {
    dialog.remove();
    if (opener instanceof HTMLElement) opener.focus();
  });
  document.body.append(dialog);
  dialog.showModal();
}

/** @param {Gift} gift */
async function cancel(gift) {
  const facts = { credits: credits(gift.totalCredits) };
  const ofIntent = newKey();
  const words = { title: t("gifts.cancel.title"), text: t("gifts.cancel.text", facts), yes: t("gifts.cancel.yes"), no: t("gifts.cancel.no"), wait: t("wait"), grave: true };
  const done = await confirmed(document.body, words, () => client.gifts.cancel(gift.id, { key: ofIntent }), explainCancelling);
  if (done) part("gifts-status").textContent = t("gifts.cancelled", facts);
  await Promise.all([refresh(), showGifts()]);
  if (done) part("created-title").focus(); // the button that was pressed is gone
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
function quoted(message) {
  return message ? h("blockquote", {}, message) : "";
}

/** @param {Gift} gift */
function createdGift(gift) {
  const actions = gift.status !== "active" ? "" : h("div", { class: "row" }, copyButton(gift, "quiet"),
    action(gift, "gifts.qr", () => showQrCode(gift)), action(gift, "gifts.cancel", () => void cancel(gift)));
  return h("li", { class: "card gift", tabindex: "-1" },
    h("div", { class: "row apart" }, h("h3", {}, credits(gift.totalCredits)), statusTag(gift.status)),
    quoted(gift.message),
    h("p", { class: "quiet small" }, t("gifts.made", { day: day(gift.createdAt) }), gift.targetEmail ? ` · ${t("gifts.for", { email: gift.targetEmail })}` : "",
      gift.status === "active" ? ` · ${t("gifts.until", { day: day(gift.expiresAt) })}` : ""),
    actions);
}

/** Make a button whose name says for whom it stands. @param {Gift} gift @param {string} name @param {() => void} act */
function action(gift, name, act) {
  return h("button", { type: "button", class: "quiet", onclick: act }, t(name), h("span", { class: "unseen" }, ` (${credits(gift.totalCredits)})`));
}

/** @param {ReceivedGift} gift */
function receivedGift(gift) {
  return h("li", { class: "card gift", tabindex: "-1" },
    h("h3", {}, credits(gift.creditsReceived)),
    quoted(gift.message),
    h("p", { class: "quiet small" }, t(gift.creatorName ? "gifts.from" : "gifts.from.nobody", { name: gift.creatorName ?? "", day: day(gift.redeemedAt) })));
}

/**
 * @template T
 * @param {"created" | "received"} name
 * @param {(paging: import("./mana-credits.js").Paging) => Promise<import("./mana-credits.js").Listed<T>>} read
 * @param {(gift: T) => HTMLElement} show
 */
function giftList(name, read, show) {
  return pagedList({
    items: part(name),
    problem: part(`${name}-problem`),
    older: part(`${name}-older`),
    read: (cursor) => read({ limit: PAGE, ...(cursor && { cursor }) }),
    show,
    empty: () => h("li", { class: "quiet" }, t(`gifts.${name}.none`)),
  });
}

const showGifts = giftList("created", client.gifts.created, createdGift);

if (isSignedIn()) {
  balance.subscribe(showWhatIsLeft);
  form.addEventListener("input", () => {
    key = null;
    showWhatIsLeft();
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void busyWhile(/** @type {HTMLElement} */ (form.querySelector("button")), create);
  });
  void showGifts();
  void giftList("received", client.gifts.received, receivedGift)();
}
