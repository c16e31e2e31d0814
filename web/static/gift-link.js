/** The link of a gift, to copy and to scan. @module */

import { h, part } from "./dom.js";
import { texts } from "./page-parts.js";

/** @typedef {import("./mana-credits.js").Gift} Gift */

const { t, credits } = texts;
const COPIED_SHOWN_MS = 3_000;

/** Make the button that copies a gift's link. @param {Gift} gift @param {string} [className] */
export function copyButton({ url, totalCredits }, className = "") {
  const label = h("span", {}, t("gifts.copy"));
  const button = h("button", { type: "button", class: className }, label, h("span", { class: "unseen" }, ` (${credits(totalCredits)})`));
  button.addEventListener("click", async () => {
    const isCopied = await navigator.clipboard?.writeText(url).then(() => true, () => false);
    // The page may not write to the clipboard (an address without TLS, a refusal): then the user copies the link by hand.
    if (!isCopied) prompt(t("gifts.copy.yourself"), url);
    if (!isCopied) return;
    label.textContent = part("gifts-status").textContent = t("gifts.copied");
    setTimeout(() => { label.textContent = t("gifts.copy"); }, COPIED_SHOWN_MS);
  });
  return button;
}

/** Show a gift's link as a QR code that can be saved as a file. @param {Gift} gift */
export function qrCode({ code }) {
  const src = `/g/${code}/qr.svg`;
  return h("figure", { class: "qr" },
    h("img", { src, width: "220", height: "220", alt: t("gifts.qr.alt") }),
    h("figcaption", {}, h("span", { class: "code" }, code), h("a", { href: src, download: `${code}.svg` }, t("gifts.qr.save"))));
}
