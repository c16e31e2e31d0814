/** What the users' pages share: texts, client and balance, and how they wait, show problems and go on. @module */

import { h } from "./dom.js";
import { explained, shared } from "./mana-elements.js";
import { getToken } from "./session.js";
import { languageOf, textsIn } from "./texts.js";

export const texts = await textsIn(languageOf(document.documentElement));
export const { client, balance, refresh } = shared(getToken);

/** Tell whether a user is signed in. */
export function isSignedIn() {
  return getToken() !== null;
}

/**
 * Say what went wrong, and offer a retry if there is one.
 *
 * @param {Element} container
 * @param {unknown} error
 * @param {() => unknown} [retry]
 * @param {(error: unknown) => string} [explain]
 */
export function showProblem(container, error, retry, explain = (reason) => explained(reason, texts)) {
  const retryButton = retry && h("button", { type: "button", class: "quiet", onclick: () => void retry() }, texts.t("again"));
  container.replaceChildren(
    h("div", { class: "notice row", role: "alert" }, h("span", { class: "grow" }, explain(error)), retryButton ?? ""));
}

/**
 * Do an act for which a button was pressed. Until it ends, the button says so and ignores further presses.
 *
 * @param {HTMLElement} button
 * @param {() => Promise<unknown>} act
 */
export async function busyWhile(button, act) {
  if (button.getAttribute("aria-disabled") === "true") return;
  const label = [...button.childNodes];
  button.setAttribute("aria-disabled", "true");
  button.replaceChildren(texts.t("wait"));
  try {
    await act();
  } finally {
    button.removeAttribute("aria-disabled");
    button.replaceChildren(...label);
  }
}

/**
 * Leave for another page.
 *
 * @param {string} url
 * @returns {Promise<void>} Ends when this page is shown again, because the user went back.
 */
export function leaveFor(url) {
  location.assign(url);
  return new Promise((resolve) => { addEventListener("pageshow", () => resolve(), { once: true }); });
}

/**
 * Show a list page by page: the first page now, each older one when the button is pressed.
 *
 * @template T
 * @param {object} list
 * @param {HTMLElement} list.container Holds the items.
 * @param {HTMLElement} list.problemArea Where a failure is explained.
 * @param {HTMLElement} list.olderButton
 * @param {(cursor: string | undefined) => Promise<import("./mana-credits.js").Listed<T>>} list.readPage
 * @param {(item: T) => HTMLElement} list.itemOf Makes the element that shows an item.
 * @param {() => HTMLElement} list.emptyItem Makes what is shown if the list is empty.
 * @param {(shownCount: number, hasMore: boolean) => void} [list.onShown] Called after each page.
 * @returns {() => Promise<void>} Reads the list again from the start.
 */
export function pagedList({ container, problemArea, olderButton, readPage, itemOf, emptyItem, onShown }) {
  /** @type {string | null} */
  let nextCursor = null;
  let shownCount = 0;
  let latestRead = 0;

  /** @param {string | undefined} cursor */
  async function load(cursor) {
    const thisRead = latestRead += 1;
    container.setAttribute("aria-busy", "true");
    try {
      const page = await readPage(cursor);
      if (thisRead !== latestRead) return; // a newer read replaces this one
      const elements = page.items.map(itemOf);
      shownCount = cursor ? shownCount + elements.length : elements.length;
      if (cursor) container.append(...elements);
      else container.replaceChildren(...(elements.length ? elements : [emptyItem()]));
      nextCursor = page.next;
      olderButton.hidden = nextCursor === null;
      problemArea.replaceChildren();
      onShown?.(shownCount, nextCursor !== null);
      if (cursor) elements[0]?.focus();
    } catch (error) {
      if (thisRead === latestRead) showProblem(problemArea, error, () => load(cursor));
    } finally {
      if (thisRead === latestRead) container.setAttribute("aria-busy", "false");
    }
  }

  olderButton.addEventListener("click", () => void busyWhile(olderButton, () => load(nextCursor ?? undefined)));
  return () => load(undefined);
}

for (const form of document.querySelectorAll("#code-form")) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const code = new FormData(/** @type {HTMLFormElement} */ (form)).get("code");
    location.assign(`/g/${encodeURIComponent(String(code).trim())}`);
  });
}
