/** The notes on the settings page: they stay whatever happens to sync. @module */

import { h, part } from "./dom.js";
import { createUnifiedSync } from "./mana-credits.js";
import { shared } from "./mana-elements.js";
import { openNotes } from "./notes.js";
import { getToken, userId } from "./session.js";
import { languageOf, textsIn } from "./texts.js";

const signedIn = userId();
if (signedIn !== null) await show(signedIn);

/** @param {string} owner */
async function show(owner) {
  const list = part("notes");
  const state = part("notes-state");
  const form = /** @type {HTMLFormElement} */ (part("notes-form"));
  const input = /** @type {HTMLInputElement} */ (part("note"));
  const { t, time } = await textsIn(languageOf(list));
  const notes = await openNotes(owner);

  async function render() {
    const kept = await notes.all();
    list.replaceChildren(...kept.map((note) => h("li", {},
      h("span", {}, note.text),
      h("small", { class: note.synced ? "good" : "quiet" }, t(note.synced ? "notes.cloud" : "notes.local")))));
    if (kept.length === 0) list.append(h("li", { class: "quiet" }, t("notes.none")));
  }

  await render();
  const sync = createUnifiedSync(list.dataset["server"] ?? "", getToken, shared(getToken).billing);
  sync.add(notes.collection(() => void render()));
  sync.subscribe(({ status, syncedAt }) => {
    state.textContent = t(`notes.${status}`, { time: syncedAt ? time(syncedAt) : "" });
    part("notes-sync").hidden = status === "off" || status === "paused";
  });
  part("notes-sync").addEventListener("click", () => void sync.sync());
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const text = input.value.trim();
    if (!text) return;
    form.reset();
    await notes.add(text);
    await render();
    await sync.sync();
  });
}
