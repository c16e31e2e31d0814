/** What the users' pages have in common: texts, client and balance, and how they wait, fail and go on. @module */

import { h } from "./dom.js";
import { explained, shared } from "./mana-elements.js";
import { getToken } from "./session.js";
import { languageOf, textsIn } from "./texts.js";

export const texts = await textsIn(languageOf(document.documentElement));
export const { client, balance, refresh } = shared(getToken);

/** Tell whether somebody is signed in. */
export function isSignedIn() {
  return getToken() !== null;
}

/**
 * Say what went wrong, and offer to try again.
 *
 * @param {Element} where
 * @param {unknown} error
 * @param {() => unknown} [again]
 * @param {(error: unknown) => string} [explain]
 */
export function showProblem(where, error, again, explain = (told) => explained(told, texts)) {
  const retry = again && h("button", { type: "button", class: "quiet", onclick: () => void again() }, texts.t("again"));
  where.replaceChildren(h("div", { class: "notice row", role: "alert" }, h("span", { class: "grow" }, explain(error)), retry ?? ""));
}

/**
 * Do something that a button was pressed for, with the button saying so; pressing it meanwhile does nothing.
 *
 * @param {HTMLElement} button
 * @param {() => Promise<unknown>} act
 */
export async function busyWhile(button, act) {
  if (button.getAttribute("aria-disabled") === "true") return;
  const words = [...button.childNodes];
  button.setAttribute("aria-disabled", "true");
  button.replaceChildren(texts.t("wait"));
  try {
    await act();
  } finally {
    button.removeAttribute("aria-disabled");
    button.replaceChildren(...words);
  }
}

/**
 * Leave for another page.
 *
 * @param {string} url
 * @returns {Promise<void>} Ends when this page is shown again, by the browser's way back.
 */
export function leaveFor(url) {
  location.assign(url);
  return new Promise((resolve) => { addEventListener("pageshow", () => resolve(), { once: true }); });
}

/**
 * Show a list that goes on by cursor: the first page now, the others when its button is pressed.
 *
 * @template T
 * @param {object} list
 * @param {HTMLElement} list.items Holds what is shown.
 * @param {HTMLElement} list.problem Where is told what went wrong.
 * @param {HTMLElement} list.older The button.
 * @param {(cursor: string | undefined) => Promise<import("./mana-credits.js").Listed<T>>} list.read
 * @param {(item: T) => HTMLElement} list.show
 * @param {() => HTMLElement} list.empty What is shown if there is nothing.
 * @param {(shown: number, more: boolean) => void} [list.told]
 * @returns {() => Promise<void>} Reads it anew from the start.
 */
export function pagedList({ items, problem, older, read, show, empty, told }) {
  /** @type {string | null} */
  let next = null;
  let shown = 0;
  let reading = 0;

  /** @param {string | undefined} cursor */
  async function load(cursor) {
    const mine = reading += 1;
    items.setAttribute("aria-busy", "true");
    try {
      const page = await read(cursor);
      if (mine !== reading) return; // asked anew meanwhile
      const made = page.items.map(show);
      shown = cursor ? shown + made.length : made.length;
      if (cursor) items.append(...made);
      else items.replaceChildren(...(made.length ? made : [empty()]));
      next = page.next;
      older.hidden = next === null;
      problem.replaceChildren();
      told?.(shown, next !== null);
      if (cursor) made[0]?.focus();
    } catch (error) {
      if (mine === reading) showProblem(problem, error, () => load(cursor));
    } finally {
      if (mine === reading) items.setAttribute("aria-busy", "false");
    }
  }

  older.addEventListener("click", () => void busyWhile(older, () => load(next ?? undefined)));
  return () => load(undefined);
}

for (const form of document.querySelectorAll("#code-form")) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const code = new FormData(/** @type {HTMLFormElement} */ (form)).get("code");
    location.assign(`/g/${encodeURIComponent(String(code).trim())}`);
  });
}
