/** Making and changing parts of a page, without a string ever becoming markup. @module */

/**
 * Make an element.
 *
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, string | boolean | EventListener>} [told] Attributes; a function is a listener (`onclick`).
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function h(tag, told = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(told)) {
    if (typeof value === "function") made.addEventListener(name.slice(2), value);
    else if (typeof value === "boolean") made.toggleAttribute(name, value);
    else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

/** Find an element that must be there. @template {HTMLElement} [E=HTMLElement] @param {string} id @returns {E} */
export function part(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`#${id} is missing`);
  return /** @type {E} */ (found);
}

/**
 * Ask before something is done, do it, and stay open with the reason if it is refused. While it is being done, nothing
 * can be pressed twice.
 *
 * @param {ParentNode & Node} where
 * @param {{ title: string, text: string, yes: string, no: string, wait: string, grave?: boolean }} words
 * @param {() => Promise<unknown>} act
 * @param {(error: unknown) => Node | string} explain Says why it was refused.
 * @returns {Promise<boolean>} Whether it was done.
 */
export function confirmed(where, words, act, explain) {
  const opener = where instanceof ShadowRoot ? where.activeElement : document.activeElement;
  const yes = h("button", { type: "button", class: words.grave ? "grave" : "" }, words.yes);
  const no = h("button", { type: "button", class: "quiet" }, words.no);
  const alert = h("p", { class: "bad", role: "alert", hidden: true });
  const dialog = h("dialog", { "aria-labelledby": "ask-title", "aria-describedby": "ask-text" },
    h("h2", { id: "ask-title" }, words.title), h("p", { id: "ask-text" }, words.text), alert,
    h("div", { class: "row end" }, no, yes));
  let busy = false;
  let done = false;

  yes.addEventListener("click", async () => {
    if (busy) return;
    setBusy(true);
    try {
      await act();
      done = true;
      dialog.close();
    } catch (error) {
      alert.replaceChildren(explain(error));
      alert.hidden = false;
    } finally {
      setBusy(false);
    }
  });
  no.addEventListener("click", () => { if (!busy) dialog.close(); });
  dialog.addEventListener("cancel", (event) => { if (busy) event.preventDefault(); });

  /** @param {boolean} now */
  function setBusy(now) {
    busy = now;
    yes.setAttribute("aria-disabled", String(now));
    no.setAttribute("aria-disabled", String(now));
    yes.textContent = now ? words.wait : words.yes;
    if (now) alert.hidden = true;
  }

  where.append(dialog);
  dialog.showModal();
  no.focus();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      if (opener instanceof HTMLElement && opener.isConnected) opener.focus();
      resolve(done);
    });
  });
}
