/** A gift's link, to copy and to scan. @module */

import { h, part } from "./dom.js";
import { texts } from "./page-parts.js";

/** @typedef {import("./mana-credits.js").Gift} Gift */

const { t, credits } = texts;

/** Make the button that copies a link. @param {Gift} gift @param {string} [look] */
export function copyButton({ url, totalCredits }, look = "") {
  const words = h("span", {}, t("gifts.copy"));
  const button = h("button", { type: "button", class: look }, words, h("span", { class: "unseen" }, ` (${credits(totalCredits)})`));
  button.addEventListener("click", async () => {
    const copied = await navigator.clipboard?.writeText(url).then(() => true, () => false);
    // Without the right to copy (an insecure address, a refusal) the link is there to be copied by hand.
    if (!copied) prompt(t("gifts.copy.yourself"), url);
    if (!copied) return;
    words.textContent = part("gifts-status").textContent = t("gifts.copied");
    setTimeout(() => { words.textContent = t("gifts.copy"); }, 3_000);
  });
  return button;
}

/** Draw a gift's link as a QR code, and offer it as a file. @param {Gift} gift */
export function qrCode({ code }) {
  const src = `/g/${code}/qr.svg`;
  return h("figure", { class: "qr" },
    h("img", { src, width: "220", height: "220", alt: t("gifts.qr.alt") }),
    h("figcaption", {}, h("span", { class: "code" }, code), h("a", { href: src, download: `${code}.svg` }, t("gifts.qr.save"))));
}
