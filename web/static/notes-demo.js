/** The notes on the settings page: they stay on the device whether sync runs or not. @module */

import { h, part } from "./dom.js";
import { createUnifiedSync } from "./mana-credits.js";
import { shared } from "./mana-elements.js";
import { openNotes } from "./notes.js";
import { getToken, userId } from "./session.js";
import { languageOf, textsIn } from "./texts.js";

const signedInUserId = userId();
if (signedInUserId !== null) await showNotes(signedInUserId);

/** @param {string} ownerId */
async function showNotes(ownerId) {
  const list = part("notes");
  const stateText = part("notes-state");
  const form = /** @type {HTMLFormElement} */ (part("notes-form"));
  const input = /** @type {HTMLInputElement} */ (part("note"));
  const { t, time } = await textsIn(languageOf(list));
  const store = await openNotes(ownerId);

  async function render() {
    const notes = await store.all();
    list.replaceChildren(...notes.map((note) => h("li", {},
      h("span", {}, note.text),
      h("small", { class: note.synced ? "good" : "quiet" }, t(note.synced ? "notes.cloud" : "notes.local")))));
    if (notes.length === 0) list.append(h("li", { class: "quiet" }, t("notes.none")));
  }

  await render();
  const sync = createUnifiedSync(list.dataset["server"] ?? "", getToken, shared(getToken).billing);
  sync.add(store.collection(() => void render()));
  sync.subscribe(({ status, syncedAt }) => {
    stateText.textContent = t(`notes.${status}`, { time: syncedAt ? time(syncedAt) : "" });
    part("notes-sync").hidden = status === "off" || status === "paused";
  });
  part("notes-sync").addEventListener("click", () => void sync.sync());
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const text = input.value.trim();
    if (!text) return;
    form.reset();
    await store.add(text);
    await render();
    await sync.sync();
  });
}
