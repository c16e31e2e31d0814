/**
 * The browser's client of mana-credits: the API, the sync-billing store, and sync that runs while it is paid for.
 *
 * Import it from the service, or copy the file: it needs no other file, only a browser. Nothing here touches the page;
 * the elements that people see are in `mana-elements.js`.
 *
 * @module
 */

/** @typedef {() => string | null | Promise<string | null>} GetToken Gives the user's token, or null if nobody is signed in. */
/** @typedef {"monthly" | "quarterly" | "yearly"} Interval */
/** @typedef {{ key?: string }} Keyed `key`: the key of this intent, from `newKey()`. The same key never acts twice. */
/** @typedef {{ limit?: number, cursor?: string }} Paging */
/**
 * @typedef {{ type?: string | undefined, appId?: string | undefined, from?: string | undefined,
 *   to?: string | undefined }} HistoryFilter `from` and `to`: times with zone; `to` is excluded.
 */
/** @template T @typedef {{ items: T[], next: string | null }} Listed `next`: the cursor of the next page. */

/** @typedef {{ balance: number, totalEarned: number, totalSpent: number }} Balance */
/**
 * @typedef {{ id: string, type: string, status: string, amount: number, balanceBefore: number, balanceAfter: number,
 *   appId: string, description: string, metadata: object | null, createdAt: string, completedAt: string | null }} Transaction
 */
/** @typedef {{ id: string, name: string, description: string, credits: number, priceEuroCents: number }} Package */
/**
 * @typedef {{ id: string, packageId: string, credits: number, priceEuroCents: number, refundedEuroCents: number,
 *   status: "pending" | "completed" | "failed" | "cancelled" | "refunded", createdAt: string,
 *   completedAt: string | null, clientSecret: string | null, checkoutUrl: string | null }} Purchase
 */
/**
 * @typedef {{ purchaseId: string, clientSecret: string | null, amount: number, credits: number,
 *   checkoutUrl: string | null }} StartedPurchase `amount` is in euro cents.
 */
/** @typedef {{ operation: string, category: "ai" | "premium", app: string, credits: number, unit: string }} Operation */
/**
 * @typedef {{ from: string, to: string, groupBy: "app" | "day", totalCredits: number, totalUses: number,
 *   items: { appId: string | null, day: string | null, credits: number, uses: number }[] }} Usage
 */
/**
 * @typedef {{ active: boolean, interval: Interval, nextChargeAt: string | null, pausedAt: string | null,
 *   gifted: boolean, autoResume: boolean,
 *   nextCharge: { at: string, amount: number, covered: boolean } | null }} SyncStatus
 */
/** @typedef {{ interval: Interval, nextChargeAt: string, amountCharged: number }} SyncActivated */
/** @typedef {{ interval: Interval, amountCharged: number, effectiveAt: string }} IntervalChanged */
/**
 * @typedef {{ totalCredits: number, targetEmail?: string, message?: string, expirationDays?: number,
 *   sourceAppId?: string }} NewGift
 */
/**
 * @typedef {{ id: string, code: string, url: string, totalCredits: number, type: "simple" | "personalized",
 *   status: GiftStatus, targetEmail: string | null, message: string | null, expiresAt: string, createdAt: string }} Gift
 */
/** @typedef {"active" | "depleted" | "expired" | "cancelled" | "refunded"} GiftStatus */
/**
 * @typedef {{ code: string, type: "simple" | "personalized", status: GiftStatus, totalCredits: number,
 *   redeemed: boolean, isPersonalized: boolean, message: string | null, creatorName: string | null,
 *   expiresAt: string }} GiftPage
 */
/**
 * @typedef {{ id: string, code: string, creditsReceived: number, message: string | null, creatorName: string | null,
 *   redeemedAt: string }} ReceivedGift
 */
/**
 * @typedef {{ creditsReceived: number, newBalance: number, message: string | null,
 *   creatorName: string | null }} RedeemedGift
 */

/**
 * @typedef {{ status: number, code: string, title?: string, detail?: string, details?: Record<string, unknown>,
 *   errors?: { field: string, message: string }[], jobId?: string }} Problem A problem document (RFC 9457).
 */

/** A refusal or a failure, as the service described it. `code` is stable; `detail` is for developers. */
export class ManaCreditsError extends Error {
  /**
   * @param {Problem} problem
   * @param {number} [retryAfterS] After how many seconds the same request may succeed.
   */
  constructor(problem, retryAfterS = 0) {
    super(problem.detail ?? problem.title ?? problem.code);
    this.name = new.target.name;
    this.status = problem.status;
    this.code = problem.code;
    this.details = problem.details ?? {};
    this.errors = problem.errors ?? [];
    this.retryAfterS = retryAfterS;
  }
}

/** The balance does not cover the amount. */
export class InsufficientCredits extends ManaCreditsError {
  /** Credits that the request needs. */
  get required() { return Number(this.details["required"]); }

  /** Credits that the balance has. */
  get available() { return Number(this.details["available"]); }
}

/** Nobody is signed in, or the token has expired. */
export class SignInNeeded extends ManaCreditsError {}

/** Too many attempts; see `retryAfterS`. */
export class TooManyRequests extends ManaCreditsError {}

/** The service cannot be reached, or is not available now. The same request, with the same key, may succeed soon. */
export class Unavailable extends ManaCreditsError {}

/** The act is recorded and will be done, but was not done while the client waited. Send the same key again to go on. */
export class StillPending extends ManaCreditsError {
  /** @param {{ jobId: string, statusUrl: string, purchaseId?: string }} accepted */
  constructor(accepted) {
    super({ status: 202, code: "still_pending", detail: "Recorded, but not done yet" });
    this.accepted = accepted;
  }
}

/** @type {Record<number, typeof ManaCreditsError>} */
const ERROR_CLASSES = { 401: SignInNeeded, 402: InsufficientCredits, 429: TooManyRequests, 503: Unavailable };
const API_PATH = "/api/v1";
const ATTEMPTS_MAX = 3;
const FOLLOW_MS = 60_000;

/** Make the key of one intent: make a new key when a person begins an act, and keep it until the act has ended. */
export function newKey() {
  return crypto.randomUUID();
}

/**
 * Make a client of the API.
 *
 * If the service cannot be reached, reads and acts with a key are sent up to three times. Queued acts (202) are
 * followed to their end.
 *
 * @param {object} options
 * @param {GetToken} options.getToken
 * @param {string} [options.baseUrl] The service's origin; without it, that of the page.
 * @param {number} [options.followMs] How long a queued act is followed, in milliseconds.
 */
export function createClient({ getToken, baseUrl = "", followMs = FOLLOW_MS }) {
  const origin = baseUrl.replace(/\/$/, "");

  /** @param {string} method @param {string} path @param {{ body?: object, key?: string }} options */
  async function call(method, path, { body, key } = {}) {
    const isRepeatable = method === "GET" || key !== undefined;
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await callOnce(method, path, { body, key });
      } catch (error) {
        if (!(error instanceof Unavailable) || !isRepeatable || attempt === ATTEMPTS_MAX) throw error;
        await pause(Math.max(error.retryAfterS, attempt / 2) * 1_000);
      }
    }
  }

  /** @param {string} method @param {string} path @param {{ body?: object | undefined, key?: string | undefined }} options */
  async function callOnce(method, path, { body, key }) {
    const token = await getToken();
    /** @type {Record<string, string>} */
    const headers = { Accept: "application/json" };
    if (token) headers["Authorization"] = `Bearer ${token}`;
    if (body) headers["Content-Type"] = "application/json";
    if (key) headers["Idempotency-Key"] = key;
    const response = await send(origin + path, { method, headers, body: body ? JSON.stringify(body) : null });
    const responseBody = await response.json().catch(() => null);
    if (response.ok && responseBody !== null) return { status: response.status, body: responseBody, next: cursorOf(response) };
    throw errorOfResponse(response, responseBody);
  }

  /** @param {string} path @returns {Promise<any>} */
  async function get(path) {
    return (await call("GET", API_PATH + path)).body;
  }

  /** @param {string} path @param {Record<string, string | number | undefined>} query @returns {Promise<Listed<any>>} */
  async function list(path, query) {
    const { body, next } = await call("GET", API_PATH + path + queryOf(query));
    return { items: body, next };
  }

  /** @param {string} path @param {object} [body] @param {string} [key] @returns {Promise<any>} */
  async function post(path, body, key) {
    const response = await call("POST", API_PATH + path, { ...(body && { body }), ...(key && { key }) });
    return response.status === 202 ? follow(response.body) : response.body;
  }

  /** @param {{ jobId: string, statusUrl: string, purchaseId?: string }} accepted */
  async function follow(accepted) {
    const deadline = Date.now() + followMs;
    for (let pauseMs = 250; Date.now() < deadline; pauseMs = Math.min(pauseMs * 1.5, 2_000)) {
      await pause(pauseMs);
      const job = (await call("GET", accepted.statusUrl)).body;
      if (job.status === "done") return job.result;
      if (job.status !== "pending") throw errorOfProblem(job.problem ?? { status: 503, code: "job_discarded" });
    }
    throw new StillPending(accepted);
  }

  return {
    credits: {
      /** @returns {Promise<Balance>} */
      balance: () => get("/credits/balance"),
      /**
       * Spend credits: an `amount`, or the price of an `operation`.
       * @param {{ amount?: number, operation?: string, quantity?: number, appId: string, description: string,
       *   metadata?: object }} spending
       * @param {Keyed} [keyed]
       * @returns {Promise<{ transaction: Transaction, newBalance: Balance }>}
       */
      use: (spending, { key = newKey() } = {}) => post("/credits/use", spending, key),
      /** @param {Paging & HistoryFilter} [filters] @returns {Promise<Listed<Transaction>>} */
      transactions: (filters = {}) => list("/credits/transactions", filters),
      /** @returns {Promise<Operation[]>} */
      operations: () => get("/credits/operations"),
    },
    purchases: {
      /** @returns {Promise<Package[]>} */
      packages: () => get("/credits/packages"),
      /**
       * Begin a purchase. With both URLs the buyer pays at `checkoutUrl`, else with `clientSecret` in your own form.
       * @param {{ packageId: string, successUrl?: string, cancelUrl?: string }} purchase
       * @param {Keyed} [keyed]
       * @returns {Promise<StartedPurchase>}
       */
      start: (purchase, { key = newKey() } = {}) => post("/credits/purchase", purchase, key),
      /** @param {string} id @returns {Promise<Purchase>} */
      get: (id) => get(`/credits/purchase/${encodeURIComponent(id)}`),
      /** @param {Paging} [paging] @returns {Promise<Listed<Purchase>>} */
      list: (paging = {}) => list("/credits/purchases", paging),
    },
    usage: {
      /** @param {{ from?: string, to?: string, groupBy?: "app" | "day" }} [query] UTC days. @returns {Promise<Usage>} */
      read: (query = {}) => get(`/credits/usage${queryOf(query)}`),
    },
    sync: {
      /** @returns {Promise<SyncStatus>} */
      status: () => get("/sync/status"),
      /** @param {Interval} interval @param {Keyed} [keyed] @returns {Promise<SyncActivated>} */
      activate: (interval, { key = newKey() } = {}) => post("/sync/activate", { interval }, key),
      /** @returns {Promise<{ success: boolean }>} */
      deactivate: () => post("/sync/deactivate"),
      /** @param {Interval} interval @returns {Promise<IntervalChanged>} */
      changeInterval: (interval) => post("/sync/change-interval", { interval }),
      /** @param {boolean} enabled @returns {Promise<{ enabled: boolean }>} */
      autoResume: (enabled) => post("/sync/auto-resume", { enabled }),
    },
    gifts: {
      /** Look up a gift by its code; nobody needs to be signed in. @param {string} code @returns {Promise<GiftPage>} */
      get: (code) => get(`/gifts/${encodeURIComponent(code)}`),
      /** @param {NewGift} gift @param {Keyed} [keyed] @returns {Promise<Gift>} */
      create: (gift, { key = newKey() } = {}) => post("/gifts", gift, key),
      /** @param {Paging} [paging] @returns {Promise<Listed<Gift>>} */
      created: (paging = {}) => list("/gifts/me/created", paging),
      /** @param {Paging} [paging] @returns {Promise<Listed<ReceivedGift>>} */
      received: (paging = {}) => list("/gifts/me/received", paging),
      /** @param {string} code @param {Keyed} [keyed] @returns {Promise<RedeemedGift>} */
      redeem: (code, { key = newKey() } = {}) => post(`/gifts/${encodeURIComponent(code)}/redeem`, {}, key),
      /** @param {string} id @param {Keyed} [keyed] @returns {Promise<{ refundedCredits: number }>} */
      cancel: async (id, { key = newKey() } = {}) =>
        (await call("DELETE", `${API_PATH}/gifts/${encodeURIComponent(id)}`, { key })).body,
    },
  };
}

/** @typedef {ReturnType<typeof createClient>} Client */

/** @param {string} url @param {RequestInit} request */
async function send(url, request) {
  try {
    return await fetch(url, request);
  } catch (error) {
    throw new Unavailable({ status: 0, code: "unreachable", detail: String(error) });
  }
}

/** @param {Response} response @param {any} body */
function errorOfResponse(response, body) {
  const problem = body && typeof body.code === "string" ? body : { status: response.status, code: "unexpected_answer" };
  return errorOfProblem({ ...problem, status: response.status }, Number(response.headers.get("Retry-After")) || 0);
}

/** @param {Problem} problem @param {number} [retryAfterS] */
function errorOfProblem(problem, retryAfterS) {
  return new (ERROR_CLASSES[problem.status] ?? ManaCreditsError)(problem, retryAfterS);
}

/** @param {Response} response */
function cursorOf(response) {
  const nextLink = /<([^>]+)>;\s*rel="next"/.exec(response.headers.get("Link") ?? "");
  return nextLink?.[1] ? new URL(nextLink[1], response.url).searchParams.get("cursor") : null;
}

/** @param {Record<string, string | number | undefined>} values */
function queryOf(values) {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) if (value !== undefined) params.set(name, String(value));
  return params.size ? `?${params}` : "";
}

/** @param {number} ms @returns {Promise<void>} */
function pause(ms) {
  return new Promise((resolve) => { setTimeout(resolve, ms); });
}

/**
 * Hold a value that others can watch, with the contract of Svelte's stores: `subscribe` calls the watcher at once with
 * the value, then on every change, and returns a function that ends this.
 *
 * @template T
 * @param {T} value
 */
export function createStore(value) {
  /** @type {Set<(value: T) => void>} */
  const watchers = new Set();
  return {
    get: () => value,
    /** @param {T} newValue */
    set(newValue) {
      value = newValue;
      for (const watcher of [...watchers]) watcher(value);
    },
    /** @param {(value: T) => void} watcher @returns {() => void} */
    subscribe(watcher) {
      // The same function may subscribe twice, and each subscription ends separately.
      const subscription = (/** @type {T} */ currentValue) => watcher(currentValue);
      watchers.add(subscription);
      subscription(value);
      return () => { watchers.delete(subscription); };
    },
  };
}

/** @typedef {{ balance: number | null, loading: boolean, error: ManaCreditsError | null }} BalanceState */

/**
 * Make the store of a user's balance. `balance` is `null` until it has been read.
 *
 * @param {Client} client
 */
export function createBalance(client) {
  const store = createStore(/** @type {BalanceState} */ ({ balance: null, loading: false, error: null }));
  return {
    get: store.get,
    subscribe: store.subscribe,
    /** Read the balance again. */
    async load() {
      store.set({ ...store.get(), loading: true });
      try {
        const { balance } = await client.credits.balance();
        store.set({ balance, loading: false, error: null });
      } catch (error) {
        store.set({ ...store.get(), loading: false, error: error instanceof ManaCreditsError ? error : null });
        throw error;
      }
    },
  };
}

/** Credits per period of Cloud Sync. @type {Readonly<Record<Interval, number>>} */
export const SYNC_PRICES = { monthly: 30, quarterly: 90, yearly: 360 };

/**
 * @typedef {SyncStatus & { paused: boolean, loading: boolean, known: boolean,
 *   error: ManaCreditsError | null }} SyncBilling `known`: it was loaded at least once. `paused`: sync waits for credits.
 */

/**
 * Make the store of a user's sync billing.
 *
 * @param {Client} client
 */
export function createSyncBilling(client) {
  const store = createStore(/** @type {SyncBilling} */ ({
    active: false, interval: "monthly", nextChargeAt: null, pausedAt: null, gifted: false, autoResume: false,
    nextCharge: null, paused: false, loading: false, known: false, error: null,
  }));
  /** @type {Promise<void> | null} */
  let latestRun = null;

  /** Do acts one after the other, so that an older answer never replaces a newer one. @param {() => Promise<unknown>} act */
  async function run(act) {
    const previousRun = latestRun;
    const thisRun = (async () => {
      await previousRun?.catch(() => undefined);
      store.set({ ...store.get(), loading: true, error: null });
      try {
        await act();
        const status = await client.sync.status();
        const paused = !status.active && status.pausedAt !== null;
        store.set({ ...store.get(), ...status, paused, known: true, loading: false });
      } catch (error) {
        store.set({ ...store.get(), loading: false, error: error instanceof ManaCreditsError ? error : null });
        throw error;
      }
    })();
    latestRun = thisRun;
    return thisRun;
  }

  /** @type {Promise<void> | null} */
  let loading = null;

  return {
    get: store.get,
    subscribe: store.subscribe,
    /** Read the state again; calls at the same time share one answer. */
    load() {
      loading ??= run(async () => undefined).finally(() => { loading = null; });
      return loading;
    },
    /** @param {Interval} interval @param {Keyed} [keyed] */
    activate: (interval, keyed) => run(() => client.sync.activate(interval, keyed)),
    deactivate: () => run(() => client.sync.deactivate()),
    /** @param {Interval} interval */
    changeInterval: (interval) => run(() => client.sync.changeInterval(interval)),
    /** @param {boolean} enabled */
    setAutoResume: (enabled) => run(() => client.sync.autoResume(enabled)),
  };
}

/** @typedef {ReturnType<typeof createSyncBilling>} SyncBillingStore */

/**
 * @typedef {object} Collection A part of the local data that is synced, under its own name.
 * @property {string} name
 * @property {() => Promise<unknown[]>} pending Gives the local changes that the server does not have yet.
 * @property {(theirs: unknown[], sent: unknown[]) => Promise<void>} accept Stores the changes of other devices, and marks
 *   the local changes that the server now has.
 */

/** @typedef {{ status: "off" | "waiting" | "syncing" | "paused" | "failed", syncedAt: Date | null }} SyncProgress */

const ROUND_EVERY_MS = 15_000;

/**
 * Sync local data while it is paid for.
 *
 * Sync starts when `syncEnabled` becomes active and stops when it becomes inactive. When the server answers 402, the
 * store is loaded again. Only the collections read and write local data; stopping deletes nothing.
 *
 * @param {string} serverUrl
 * @param {GetToken} getToken
 * @param {boolean | { subscribe: (watcher: (value: any) => void) => () => void, load?: () => Promise<void> }} syncEnabled
 *   A boolean, a store of a boolean, or the sync-billing store.
 * @param {{ everyMs?: number }} [options] How long between two rounds, in milliseconds.
 */
export function createUnifiedSync(serverUrl, getToken, syncEnabled, { everyMs = ROUND_EVERY_MS } = {}) {
  const progress = createStore(/** @type {SyncProgress} */ ({ status: "off", syncedAt: null }));
  /** @type {Map<Collection, string | null>} */
  const cursors = new Map();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  /** @type {Promise<void> | null} */
  let currentRound = null;
  let isEnabled = false;

  /** @param {Collection} collection */
  async function exchange(collection) {
    const changes = await collection.pending();
    const token = await getToken();
    if (!token) throw new SignInNeeded({ status: 401, code: "unauthorized", detail: "Nobody is signed in" });
    const response = await send(`${serverUrl.replace(/\/$/, "")}/sync/${encodeURIComponent(collection.name)}`, {
      method: "POST",
      headers: { "Content-Type": "application/json", Authorization: `Bearer ${token}` },
      body: JSON.stringify({ since: cursors.get(collection) ?? null, changes }),
    });
    const body = await response.json().catch(() => null);
    if (!response.ok) throw errorOfResponse(response, body);
    if (!isEnabled) return;
    await collection.accept(body.changes, changes);
    cursors.set(collection, body.cursor);
  }

  async function exchangeAll() {
    clearTimeout(timer);
    progress.set({ ...progress.get(), status: "syncing" });
    try {
      for (const collection of [...cursors.keys()]) await exchange(collection);
      if (isEnabled) progress.set({ status: "waiting", syncedAt: new Date() });
    } catch (error) {
      const isUnpaid = error instanceof InsufficientCredits;
      if (isEnabled) progress.set({ ...progress.get(), status: isUnpaid ? "paused" : "failed" });
      if (isUnpaid && typeof syncEnabled === "object") await syncEnabled.load?.().catch(() => undefined);
    }
    if (isEnabled) timer = setTimeout(() => void sync(), everyMs);
  }

  /** Sync now, if enabled. If a round is running, a new one starts after it, with what changed in the meantime. */
  async function sync() {
    await currentRound;
    if (!isEnabled) return;
    currentRound ??= exchangeAll().finally(() => { currentRound = null; });
    await currentRound;
  }

  /** @param {boolean | { active: boolean, paused?: boolean }} state */
  function follow(state) {
    const { active, paused = false } = typeof state === "boolean" ? { active: state } : state;
    const hasChanged = active !== isEnabled;
    isEnabled = active;
    if (!isEnabled) {
      clearTimeout(timer);
      progress.set({ ...progress.get(), status: paused ? "paused" : "off" });
    } else if (hasChanged) void sync();
  }

  const unfollow = typeof syncEnabled === "object" ? syncEnabled.subscribe(follow) : follow(syncEnabled);

  return {
    get: progress.get,
    subscribe: progress.subscribe,
    sync,
    /** Sync a collection from now on. @param {Collection} collection @returns {() => void} Ends it. */
    add(collection) {
      cursors.set(collection, null);
      void sync();
      return () => { cursors.delete(collection); };
    },
    /** Stop for good. Local data stays as it is. */
    stop() {
      unfollow?.();
      follow(false);
    },
  };
}
