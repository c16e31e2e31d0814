/** Notes in this browser's IndexedDB: the local data of a small local-first application. @module */

/** @typedef {{ id: string, text: string, writtenAt: string, synced: boolean }} Note */

/**
 * Open a user's notes.
 *
 * @param {string} userId Everybody who signs in on this device has notes of their own.
 */
export async function openNotes(userId) {
  const opening = indexedDB.open(`mana-notes:${userId}`, 1);
  opening.onupgradeneeded = () => { opening.result.createObjectStore("notes", { keyPath: "id" }); };
  const database = /** @type {IDBDatabase} */ (await answered(opening));

  /** @returns {Promise<Note[]>} Newest first. */
  async function all() {
    const found = /** @type {Note[]} */ (await answered(database.transaction("notes").objectStore("notes").getAll()));
    return found.sort((one, other) => other.writtenAt.localeCompare(one.writtenAt));
  }

  /** @param {Note[]} notes */
  async function put(notes) {
    const writing = database.transaction("notes", "readwrite");
    for (const note of notes) writing.objectStore("notes").put(note);
    await new Promise((resolve, reject) => {
      writing.oncomplete = resolve;
      writing.onerror = reject;
    });
  }

  return {
    all,
    /** @param {string} text */
    add: (text) =>
      put([{ id: crypto.randomUUID(), text, writtenAt: new Date().toISOString(), synced: false }]),
    /** Make the notes a collection to sync. @param {() => void} changed Called when what is kept has changed. */
    collection: (changed) => ({
      name: "notes",
      pending: async () => (await all()).filter((note) => !note.synced),
      /** @param {unknown[]} theirs @param {unknown[]} sent */
      accept: async (theirs, sent) => {
        const notes = /** @type {Note[]} */ ([...theirs, ...sent]);
        await put(notes.map((note) => ({ ...note, synced: true })));
        changed();
      },
    }),
  };
}

/** @template T @param {IDBRequest<T>} request @returns {Promise<T>} */
function answered(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
