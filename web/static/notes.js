/** Notes in this browser's IndexedDB: the local data of a small local-first application. @module */

/** @typedef {{ id: string, text: string, writtenAt: string, synced: boolean }} Note */

/**
 * Open the notes of a user.
 *
 * @param {string} userId Each user of this device has notes of their own.
 */
export async function openNotes(userId) {
  const openRequest = indexedDB.open(`mana-notes:${userId}`, 1);
  openRequest.onupgradeneeded = () => { openRequest.result.createObjectStore("notes", { keyPath: "id" }); };
  const database = /** @type {IDBDatabase} */ (await resultOf(openRequest));

  /** @returns {Promise<Note[]>} Newest first. */
  async function all() {
    const notes = /** @type {Note[]} */ (await resultOf(database.transaction("notes").objectStore("notes").getAll()));
    return notes.sort((note, otherNote) => otherNote.writtenAt.localeCompare(note.writtenAt));
  }

  /** @param {Note[]} notes */
  async function put(notes) {
    const transaction = database.transaction("notes", "readwrite");
    for (const note of notes) transaction.objectStore("notes").put(note);
    await new Promise((resolve, reject) => {
      transaction.oncomplete = resolve;
      transaction.onerror = reject;
    });
  }

  return {
    all,
    /** @param {string} text */
    add: (text) =>
      put([{ id: crypto.randomUUID(), text, writtenAt: new Date().toISOString(), synced: false }]),
    /** Make the notes a collection that can be synced. @param {() => void} onChanged Called when stored notes have changed. */
    collection: (onChanged) => ({
      name: "notes",
      pending: async () => (await all()).filter((note) => !note.synced),
      /** @param {unknown[]} theirs @param {unknown[]} sent */
      accept: async (theirs, sent) => {
        const notes = /** @type {Note[]} */ ([...theirs, ...sent]);
        await put(notes.map((note) => ({ ...note, synced: true })));
        onChanged();
      },
    }),
  };
}

/** @template T @param {IDBRequest<T>} request @returns {Promise<T>} */
function resultOf(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
