/** Making and changing elements of a page, without a string ever becoming markup. @module */

/**
 * Make an element.
 *
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, string | boolean | EventListener>} [attributes] A function is a listener (`onclick`).
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else if (typeof value === "boolean") element.toggleAttribute(name, value);
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

/** Give the element with an id; throws if the page has none. @template {HTMLElement} [E=HTMLElement] @param {string} id @returns {E} */
export function part(id) {
  const element = document.getElementById(id);
  if (!element) throw new Error(`#${id} is missing`);
  return /** @type {E} */ (element);
}

/**
 * Ask the user in a dialog before an act is done, then do it. If it is refused, the dialog stays open and shows the
 * reason. While the act runs, no button can be pressed again.
 *
 * @param {ParentNode & Node} parent Where the dialog is added.
 * @param {{ title: string, text: string, yes: string, no: string, wait: string, grave?: boolean }} words
 * @param {() => Promise<unknown>} act
 * @param {(error: unknown) => Node | string} explain Says why the act was refused.
 * @returns {Promise<boolean>} Whether the act was done.
 */
export function confirmed(parent, words, act, explain) {
  const opener = parent instanceof ShadowRoot ? parent.activeElement : document.activeElement;
  const yesButton = h("button", { type: "button", class: words.grave ? "grave" : "" }, words.yes);
  const noButton = h("button", { type: "button", class: "quiet" }, words.no);
  const alert = h("p", { class: "bad", role: "alert", hidden: true });
  const dialog = h("dialog", { "aria-labelledby": "ask-title", "aria-describedby": "ask-text" },
    h("h2", { id: "ask-title" }, words.title), h("p", { id: "ask-text" }, words.text), alert,
    h("div", { class: "row end" }, noButton, yesButton));
  let isBusy = false;
  let isDone = false;

  yesButton.addEventListener("click", async () => {
    if (isBusy) return;
    setBusy(true);
    try {
      await act();
      isDone = true;
      dialog.close();
    } catch (error) {
      alert.replaceChildren(explain(error));
      alert.hidden = false;
    } finally {
      setBusy(false);
    }
  });
  noButton.addEventListener("click", () => { if (!isBusy) dialog.close(); });
  dialog.addEventListener("cancel", (event) => { if (isBusy) event.preventDefault(); });

  /** @param {boolean} busy */
  function setBusy(busy) {
    isBusy = busy;
    yesButton.setAttribute("aria-disabled", String(busy));
    noButton.setAttribute("aria-disabled", String(busy));
    yesButton.textContent = busy ? words.wait : words.yes;
    if (busy) alert.hidden = true;
  }

  parent.append(dialog);
  dialog.showModal();
  noButton.focus();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      if (opener instanceof HTMLElement && opener.isConnected) opener.focus();
      resolve(isDone);
    });
  });
}
