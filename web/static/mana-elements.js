/**
 * The elements that show credits and Cloud Sync, for any page and any framework:
 *
 *     <mana-balance top-up-url="/credits"></mana-balance>
 *     <mana-sync-banner top-up-url="/credits" settings-url="/settings/sync"></mana-sync-banner>
 *     <mana-sync-settings top-up-url="/credits"></mana-sync-settings>
 *
 * Each needs the property `getToken`. On another origin than the service's, each also needs the attribute `base-url`.
 * Elements with the very same `getToken` function and the same `base-url` share one client and one state. Colours come
 * from the `--mana-…` variables of the page.
 *
 * @module
 */

import { confirmed, h } from "./dom.js";
import { sheet } from "./mana-elements.css.js";
import {
  createBalance, createClient, createSyncBilling, InsufficientCredits, newKey, SignInNeeded, SYNC_PRICES, Unavailable,
} from "./mana-credits.js";
import { languageOf, textsIn } from "./texts.js";

/** @typedef {import("./mana-credits.js").GetToken} GetToken */
/** @typedef {import("./mana-credits.js").Interval} Interval */
/** @typedef {import("./texts.js").Texts} Texts */

const INTERVALS = /** @type {Interval[]} */ (Object.keys(SYNC_PRICES));
const DISMISSED_KEY = "mana-banner-dismissed";
const DISMISSED_FOR_MS = 24 * 3_600_000;

/** @type {WeakMap<GetToken, Map<string, Shared>>} */
const sharedByToken = new WeakMap();

/** @typedef {ReturnType<typeof createShared>} Shared */

/**
 * Give the client and the stores that the elements of a page share.
 *
 * @param {GetToken} getToken
 * @param {string} [baseUrl]
 * @returns {Shared}
 */
export function shared(getToken, baseUrl = "") {
  const sharedByUrl = sharedByToken.get(getToken) ?? new Map();
  sharedByToken.set(getToken, sharedByUrl);
  const clientAndStores = sharedByUrl.get(baseUrl) ?? createShared(getToken, baseUrl);
  sharedByUrl.set(baseUrl, clientAndStores);
  return clientAndStores;
}

/** @param {GetToken} getToken @param {string} baseUrl */
function createShared(getToken, baseUrl) {
  const client = createClient({ getToken, baseUrl });
  const balance = createBalance(client);
  const billing = createSyncBilling(client);
  /** Read both stores again. Errors are kept in the stores. */
  async function refresh() {
    if (await getToken()) await Promise.allSettled([balance.load(), billing.load()]);
  }
  // Users who top up in another tab see it when they come back.
  document.addEventListener("visibilitychange", () => { if (!document.hidden) void refresh(); });
  void refresh();
  return { client, balance, billing, refresh };
}

/** What the elements have in common: the service's address, the token, and the language. */
class ManaElement extends HTMLElement {
  static observedAttributes = ["base-url"];

  /** @type {GetToken | null} */
  #getToken = null;
  /** @type {(() => void)[]} */
  #endings = [];

  constructor() {
    super();
    this.view = this.attachShadow({ mode: "open" });
    this.view.adoptedStyleSheets = [sheet];
  }

  /** Gives the user's token, or null if nobody is signed in. */
  get getToken() { return this.#getToken; }

  set getToken(getToken) {
    this.#getToken = getToken;
    void this.#start();
  }

  connectedCallback() {
    if (Object.hasOwn(this, "getToken")) { // the page set it before this class was defined
      const earlyGetToken = this.getToken;
      Reflect.deleteProperty(this, "getToken");
      this.#getToken = earlyGetToken;
    }
    void this.#start();
  }

  disconnectedCallback() { this.#stop(); }

  attributeChangedCallback() { void this.#start(); }

  #stop() {
    for (const end of this.#endings.splice(0)) end();
  }

  async #start() {
    this.#stop();
    const getToken = this.#getToken;
    if (!getToken || !this.isConnected) return;
    const texts = await textsIn(languageOf(this));
    if (getToken !== this.#getToken || !this.isConnected) return;
    this.#stop();
    this.#endings = this.show(shared(getToken, this.getAttribute("base-url") ?? ""), texts);
  }

  /** Make a link to an address that the page gave; nothing without one. @param {string} attribute @param {string} text @param {string} [className] */
  linkTo(attribute, text, className = "") {
    const href = this.getAttribute(attribute);
    return href ? h("a", { href, class: className }, text) : "";
  }

  /**
   * Build the content of the element, and follow the stores.
   *
   * @param {Shared} _shared
   * @param {Texts} _texts
   * @returns {(() => void)[]} Functions that stop following.
   */
  show(_shared, _texts) { return []; }
}

/** The balance, as a link to the page where it can be topped up. */
export class ManaBalance extends ManaElement {
  /** @override @param {Shared} shared @param {Texts} texts */
  show({ balance }, texts) {
    const href = this.getAttribute("top-up-url");
    const label = texts.t("balance");
    const pill = href
      ? h("a", { href, class: "pill", title: label })
      : h("span", { class: "pill", title: label });
    this.view.replaceChildren(pill);
    return [balance.subscribe(({ balance: amount, error }) => {
      pill.classList.toggle("skeleton", amount === null && !error);
      pill.textContent = amount === null ? texts.t("balance.unknown") : texts.credits(amount);
    })];
  }
}

/** Says why sync is paused and what to do. It can be hidden for 24 hours, or until the next pause. */
export class ManaSyncBanner extends ManaElement {
  /** @override @param {Shared} shared @param {Texts} texts */
  show({ billing, balance }, { t, credits }) {
    const reason = h("p");
    const dismissButton = h("button", { type: "button", class: "plain", "aria-label": t("banner.dismiss"), title: t("banner.dismiss") }, "×");
    const banner = h("section", { class: "banner", "aria-label": t("banner.title"), hidden: true },
      h("div", { class: "words" }, h("strong", {}, t("banner.title")), reason),
      h("div", { class: "row" },
        this.linkTo("top-up-url", t("top-up"), "button"), this.linkTo("settings-url", t("banner.settings"), "button quiet"),
        dismissButton));
    const liveRegion = h("div", { role: "status" });
    this.view.replaceChildren(liveRegion, banner);

    const render = () => {
      const { paused, pausedAt, interval } = billing.get();
      banner.hidden = !paused || isDismissed(pausedAt);
      liveRegion.className = "unseen";
      liveRegion.textContent = banner.hidden ? "" : t("banner.title");
      const available = balance.get().balance;
      const price = credits(SYNC_PRICES[interval]);
      reason.textContent = available !== null && available < SYNC_PRICES[interval]
        ? t("banner.short", { balance: credits(available), price })
        : t("banner.enough", { price });
    };
    dismissButton.addEventListener("click", () => {
      localStorage.setItem(DISMISSED_KEY, JSON.stringify({ pausedAt: billing.get().pausedAt, at: Date.now() }));
      render();
    });
    return [billing.subscribe(render), balance.subscribe(render)];
  }
}

/** @param {string | null} pausedAt */
function isDismissed(pausedAt) {
  try {
    const dismissal = JSON.parse(localStorage.getItem(DISMISSED_KEY) ?? "null");
    return dismissal?.pausedAt === pausedAt && Date.now() - dismissal.at < DISMISSED_FOR_MS;
  } catch {
    return false;
  }
}

/** The settings of Cloud Sync: its state, its prices, and the buttons that change it. */
export class ManaSyncSettings extends ManaElement {
  /** @override @param {Shared} shared @param {Texts} texts */
  show(shared, texts) {
    const { billing, balance } = shared;
    const { t, credits, euro, day } = texts;
    const parts = settingsParts(this.linkTo("top-up-url", t("top-up"), "button"), texts);
    this.view.replaceChildren(...parts.cards);
    const render = () => renderSettings(parts, billing.get(), balance.get(), texts);

    /** @param {"activate" | "change" | "deactivate"} actName @param {() => Promise<unknown>} act */
    const ask = async (actName, act) => {
      const interval = parts.chosenInterval();
      const price = SYNC_PRICES[interval];
      const facts = {
        price: credits(price), euro: euro(price), interval: t(`interval.${interval}`),
        day: dayOrNone(billing.get().nextChargeAt, day),
      };
      const words = {
        title: t(`${actName}.title`), text: t(`${actName}.text`, facts), yes: t(`${actName}.yes`, facts), no: t("cancel"),
        wait: t("wait"), grave: actName === "deactivate",
      };
      const isDone = await confirmed(this.view, words, act, (error) => explained(error, texts));
      await shared.refresh();
      if (!isDone) return;
      const detail = billing.get();
      this.dispatchEvent(new CustomEvent("mana-sync-change", { bubbles: true, composed: true, detail }));
    };
    parts.activateButton.addEventListener("click", () => {
      const interval = parts.chosenInterval();
      const key = newKey(); // one key for this intent, however often the button in the dialog is pressed
      void ask("activate", () => billing.activate(interval, { key }));
    });
    parts.changeButton.addEventListener("click", () => void ask("change", () => billing.changeInterval(parts.chosenInterval())));
    parts.deactivateButton.addEventListener("click", () => void ask("deactivate", () => billing.deactivate()));
    parts.retryButton.addEventListener("click", () => void shared.refresh());
    parts.resumeCheckbox.addEventListener("change", () => {
      void billing.setAutoResume(parts.resumeCheckbox.checked).catch(() => undefined); // the checkbox shows the state of the store
    });
    for (const { radio } of parts.choices) radio.addEventListener("change", render);
    return [billing.subscribe(render), balance.subscribe(render)];
  }
}

/** Build the parts of the settings, once. @param {Node | string} topUp @param {Texts} texts */
function settingsParts(topUp, texts) {
  const { t } = texts;
  const title = h("h2", { class: "state" });
  const facts = h("p", { class: "facts" });
  const balanceText = h("p", { class: "purse" });
  const noticeText = h("p", { class: "grow" });
  const notice = h("div", { class: "notice row", hidden: true }, noticeText, topUp);
  const problemText = h("p", { class: "grow" });
  const retryButton = h("button", { type: "button", class: "quiet" }, t("again"));
  const problem = h("div", { class: "notice bad row", role: "alert", hidden: true }, problemText, retryButton);
  const choices = INTERVALS.map((interval) => choiceOf(interval, texts));
  const prices = h("fieldset", {}, h("legend", {}, t("interval")),
    h("div", { class: "choices" }, ...choices.map((choice) => choice.row)));
  const activateButton = h("button", { type: "button" });
  const changeButton = h("button", { type: "button" }, t("change"));
  const deactivateButton = h("button", { type: "button", class: "quiet" }, t("deactivate"));
  const resumeCheckbox = h("input", { type: "checkbox", id: "resume" });
  const resumeRow = h("div", { class: "check" }, resumeCheckbox, h("label", { for: "resume" }, t("auto-resume")));
  const cards = [
    h("section", { class: "card" }, h("div", { role: "status" }, title, facts, balanceText), problem, notice),
    h("section", { class: "card" }, prices, h("div", { class: "row actions" }, activateButton, changeButton, deactivateButton), resumeRow),
    h("section", { class: "card" }, h("h2", {}, t("local.title")), h("p", {}, t("local.text")),
      h("ul", {}, ...["local.pause", "local.stop", "local.back"].map((key) => h("li", {}, t(key))))),
  ];
  const chosenInterval = () => choices.find((choice) => choice.radio.checked)?.interval ?? "monthly";
  return {
    cards, title, facts, balanceText, noticeText, notice, problemText, retryButton, problem, choices, prices,
    activateButton, changeButton, deactivateButton, resumeCheckbox, resumeRow, chosenInterval,
    /** @type {Interval | null} The interval that the radio buttons were last set to. */
    shownInterval: null,
  };
}

/** @param {Interval} interval @param {Texts} texts */
function choiceOf(interval, { t, credits, euro }) {
  const price = SYNC_PRICES[interval];
  const radio = h("input", {
    type: "radio", name: "interval", value: interval, id: interval, checked: interval === "monthly",
  });
  const row = h("label", { class: "choice", for: interval }, radio,
    h("span", { class: "name" }, t(`interval.${interval}`)),
    h("span", { class: "price" }, credits(price)),
    h("span", { class: "small" }, euro(price)));
  return { interval, radio, row };
}

/**
 * Show the state of the stores in the settings' parts.
 *
 * @param {ReturnType<typeof settingsParts>} parts
 * @param {import("./mana-credits.js").SyncBilling} billing
 * @param {import("./mana-credits.js").BalanceState} balanceState
 * @param {Texts} texts
 */
function renderSettings(parts, billing, { balance }, texts) {
  const { t, credits, day } = texts;
  if (billing.known && billing.interval !== parts.shownInterval) {
    parts.shownInterval = billing.interval;
    for (const choice of parts.choices) choice.radio.checked = choice.interval === billing.interval;
  }
  const price = SYNC_PRICES[parts.chosenInterval()];
  const isShort = balance !== null && balance < price;
  const isUncovered = billing.active && billing.nextCharge !== null && !billing.nextCharge.covered;
  const status = !billing.known ? "unknown" : billing.gifted ? "gifted" : billing.active ? "active" : billing.paused ? "paused" : "local";
  const isLoading = !billing.known && billing.error === null;

  for (const part of [parts.title, parts.facts, parts.balanceText]) part.classList.toggle("skeleton", isLoading);
  parts.title.dataset["status"] = status;
  parts.title.textContent = t(isLoading ? "loading" : `status.${status}`);
  parts.facts.textContent = status === "unknown" ? t("loading") : t(`facts.${status}`, {
    price: credits(SYNC_PRICES[billing.interval]),
    day: dayOrNone(billing.active ? billing.nextChargeAt : billing.pausedAt, day),
  });
  parts.facts.hidden = status === "unknown" && !isLoading;
  parts.balanceText.textContent = balance === null ? t("balance.unknown") : t("facts.balance", { balance: credits(balance) });

  parts.notice.hidden = !billing.known || billing.gifted || !(isUncovered || (!billing.active && isShort));
  parts.noticeText.textContent = isUncovered
    ? t("short.soon", { day: dayOrNone(billing.nextChargeAt, day) })
    : t("short.now", { missing: credits(price - (balance ?? 0)), price: credits(price) });
  parts.problem.hidden = billing.error === null || billing.known;
  parts.problemText.textContent = explained(billing.error, texts);

  parts.prices.disabled = !billing.known || billing.gifted;
  parts.activateButton.hidden = !billing.known || billing.active || isShort;
  parts.activateButton.textContent = t("activate", { price: credits(price) });
  parts.changeButton.hidden = !billing.active || billing.gifted || parts.chosenInterval() === billing.interval;
  parts.deactivateButton.hidden = !billing.active || billing.gifted;
  parts.resumeRow.hidden = !(billing.active || billing.paused) || billing.gifted;
  parts.resumeCheckbox.checked = billing.autoResume;
}

/** @param {string | null} instant @param {(instant: string) => string} day */
function dayOrNone(instant, day) {
  return instant === null ? "" : day(instant);
}

/** Say why something was refused, or failed. @param {unknown} error @param {Texts} texts */
export function explained(error, { t, credits }) {
  if (error instanceof InsufficientCredits) {
    return t("error.short", { price: credits(error.required), balance: credits(error.available) });
  }
  if (error instanceof SignInNeeded) return t("error.sign-in");
  if (error instanceof Unavailable) return t("error.unavailable");
  return t("error.other");
}

customElements.define("mana-balance", ManaBalance);
customElements.define("mana-sync-banner", ManaSyncBanner);
customElements.define("mana-sync-settings", ManaSyncSettings);
