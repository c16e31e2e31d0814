/**
 * What people see of credits and Cloud Sync, for any page and any framework:
 *
 *     <mana-balance top-up-url="/credits"></mana-balance>
 *     <mana-sync-banner top-up-url="/credits" settings-url="/settings/sync"></mana-sync-banner>
 *     <mana-sync-settings top-up-url="/credits"></mana-sync-settings>
 *
 * Each needs the property `getToken` and, on another origin than the service's, the attribute `base-url`. Those that
 * have both in common, the very same function, share what they know. Colours come from the `--mana-…` variables of the page.
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
const DISMISSED = "mana-banner-dismissed";
const DISMISSED_FOR_MS = 24 * 3_600_000;

/** @type {WeakMap<GetToken, Map<string, Shared>>} */
const known = new WeakMap();

/** @typedef {ReturnType<typeof make>} Shared */

/**
 * Give the client and the stores that the elements of a page share.
 *
 * @param {GetToken} getToken
 * @param {string} [baseUrl]
 * @returns {Shared}
 */
export function shared(getToken, baseUrl = "") {
  const ofUser = known.get(getToken) ?? new Map();
  known.set(getToken, ofUser);
  const found = ofUser.get(baseUrl) ?? make(getToken, baseUrl);
  ofUser.set(baseUrl, found);
  return found;
}

/** @param {GetToken} getToken @param {string} baseUrl */
function make(getToken, baseUrl) {
  const client = createClient({ getToken, baseUrl });
  const balance = createBalance(client);
  const billing = createSyncBilling(client);
  /** Read both anew. What went wrong is in the stores. */
  async function refresh() {
    if (await getToken()) await Promise.allSettled([balance.load(), billing.load()]);
  }
  // Whoever comes back from topping up in another tab sees it.
  document.addEventListener("visibilitychange", () => { if (!document.hidden) void refresh(); });
  void refresh();
  return { client, balance, billing, refresh };
}

/** What the elements have in common: where the service is, whose token, and which language. */
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
    if (Object.hasOwn(this, "getToken")) { // set before this class was known
      const early = this.getToken;
      Reflect.deleteProperty(this, "getToken");
      this.#getToken = early;
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

  /** Give a link of the host page's. @param {string} name @param {string} text @param {string} [look] */
  linkTo(name, text, look = "") {
    const href = this.getAttribute(name);
    return href ? h("a", { href, class: look }, text) : "";
  }

  /**
   * Build what is shown, and follow the stores.
   *
   * @param {Shared} _shared
   * @param {Texts} _texts
   * @returns {(() => void)[]} What ends it.
   */
  show(_shared, _texts) { return []; }
}

/** The balance, as a link to where it can be topped up. */
export class ManaBalance extends ManaElement {
  /** @override @param {Shared} shared @param {Texts} texts */
  show({ balance }, texts) {
    const href = this.getAttribute("top-up-url");
    const label = texts.t("balance");
    const amount = href
      ? h("a", { href, class: "pill", title: label })
      : h("span", { class: "pill", title: label });
    this.view.replaceChildren(amount);
    return [balance.subscribe((told) => {
      const unknown = told.balance === null;
      amount.classList.toggle("skeleton", unknown && !told.error);
      amount.textContent = told.balance === null ? texts.t("balance.unknown") : texts.credits(told.balance);
    })];
  }
}

/** Why sync is paused and what to do about it; dismissed for 24 hours, or until the next pause. */
export class ManaSyncBanner extends ManaElement {
  /** @override @param {Shared} shared @param {Texts} texts */
  show({ billing, balance }, { t, credits }) {
    const why = h("p");
    const dismiss = h("button", { type: "button", class: "plain", "aria-label": t("banner.dismiss"), title: t("banner.dismiss") }, "×");
    const banner = h("section", { class: "banner", "aria-label": t("banner.title"), hidden: true },
      h("div", { class: "words" }, h("strong", {}, t("banner.title")), why),
      h("div", { class: "row" },
        this.linkTo("top-up-url", t("top-up"), "button"), this.linkTo("settings-url", t("banner.settings"), "button quiet"),
        dismiss));
    const live = h("div", { role: "status" });
    this.view.replaceChildren(live, banner);

    const render = () => {
      const { paused, pausedAt, interval } = billing.get();
      banner.hidden = !paused || isDismissed(pausedAt);
      live.className = "unseen";
      live.textContent = banner.hidden ? "" : t("banner.title");
      const has = balance.get().balance;
      const price = credits(SYNC_PRICES[interval]);
      why.textContent = has !== null && has < SYNC_PRICES[interval]
        ? t("banner.short", { balance: credits(has), price })
        : t("banner.enough", { price });
    };
    dismiss.addEventListener("click", () => {
      localStorage.setItem(DISMISSED, JSON.stringify({ pausedAt: billing.get().pausedAt, at: Date.now() }));
      render();
    });
    return [billing.subscribe(render), balance.subscribe(render)];
  }
}

/** @param {string | null} pausedAt */
function isDismissed(pausedAt) {
  try {
    const told = JSON.parse(localStorage.getItem(DISMISSED) ?? "null");
    return told?.pausedAt === pausedAt && Date.now() - told.at < DISMISSED_FOR_MS;
  } catch {
    return false;
  }
}

/** Cloud Sync's settings: what there is, what it costs, and the switches. */
export class ManaSyncSettings extends ManaElement {
  /** @override @param {Shared} shared @param {Texts} texts */
  show(shared, texts) {
    const { billing, balance } = shared;
    const { t, credits, euro, day } = texts;
    const parts = settingsParts(this.linkTo("top-up-url", t("top-up"), "button"), texts);
    this.view.replaceChildren(...parts.cards);
    const render = () => renderSettings(parts, billing.get(), balance.get(), texts);

    /** @param {"activate" | "change" | "deactivate"} what @param {() => Promise<unknown>} act */
    const ask = async (what, act) => {
      const interval = parts.chosen();
      const price = SYNC_PRICES[interval];
      const told = {
        price: credits(price), euro: euro(price), interval: t(`interval.${interval}`),
        day: dayOrNone(billing.get().nextChargeAt, day),
      };
      const words = {
        title: t(`${what}.title`), text: t(`${what}.text`, told), yes: t(`${what}.yes`, told), no: t("cancel"),
        wait: t("wait"), grave: what === "deactivate",
      };
      const done = await confirmed(this.view, words, act, (error) => explained(error, texts));
      await shared.refresh();
      if (!done) return;
      const detail = billing.get();
      this.dispatchEvent(new CustomEvent("mana-sync-change", { bubbles: true, composed: true, detail }));
    };
    parts.activate.addEventListener("click", () => {
      const interval = parts.chosen();
      const key = newKey(); // one for this intent, however often the button in the dialog is pressed
      void ask("activate", () => billing.activate(interval, { key }));
    });
    parts.change.addEventListener("click", () => void ask("change", () => billing.changeInterval(parts.chosen())));
    parts.deactivate.addEventListener("click", () => void ask("deactivate", () => billing.deactivate()));
    parts.again.addEventListener("click", () => void shared.refresh());
    parts.resume.addEventListener("change", () => {
      void billing.setAutoResume(parts.resume.checked).catch(() => undefined); // shown from the store
    });
    for (const { radio } of parts.choices) radio.addEventListener("change", render);
    return [billing.subscribe(render), balance.subscribe(render)];
  }
}

/** Build what the settings are made of, once. @param {Node | string} topUp @param {Texts} texts */
function settingsParts(topUp, texts) {
  const { t } = texts;
  const title = h("h2", { class: "state" });
  const facts = h("p", { class: "facts" });
  const purse = h("p", { class: "purse" });
  const missing = h("p", { class: "grow" });
  const notice = h("div", { class: "notice row", hidden: true }, missing, topUp);
  const wrong = h("p", { class: "grow" });
  const again = h("button", { type: "button", class: "quiet" }, t("again"));
  const problem = h("div", { class: "notice bad row", role: "alert", hidden: true }, wrong, again);
  const choices = INTERVALS.map((interval) => choiceOf(interval, texts));
  const prices = h("fieldset", {}, h("legend", {}, t("interval")),
    h("div", { class: "choices" }, ...choices.map((one) => one.row)));
  const activate = h("button", { type: "button" });
  const change = h("button", { type: "button" }, t("change"));
  const deactivate = h("button", { type: "button", class: "quiet" }, t("deactivate"));
  const resume = h("input", { type: "checkbox", id: "resume" });
  const resumeRow = h("div", { class: "check" }, resume, h("label", { for: "resume" }, t("auto-resume")));
  const cards = [
    h("section", { class: "card" }, h("div", { role: "status" }, title, facts, purse), problem, notice),
    h("section", { class: "card" }, prices, h("div", { class: "row actions" }, activate, change, deactivate), resumeRow),
    h("section", { class: "card" }, h("h2", {}, t("local.title")), h("p", {}, t("local.text")),
      h("ul", {}, ...["local.pause", "local.stop", "local.back"].map((key) => h("li", {}, t(key))))),
  ];
  const chosen = () => choices.find((one) => one.radio.checked)?.interval ?? "monthly";
  return {
    cards, title, facts, purse, missing, notice, wrong, again, problem, choices, prices, activate, change, deactivate,
    resume, resumeRow, chosen,
    /** @type {Interval | null} The interval that the radio buttons were last set to. */
    shown: null,
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
 * @param {import("./mana-credits.js").SyncBilling} told
 * @param {import("./mana-credits.js").BalanceState} purse
 * @param {Texts} texts
 */
function renderSettings(parts, told, { balance }, texts) {
  const { t, credits, day } = texts;
  if (told.known && told.interval !== parts.shown) {
    parts.shown = told.interval;
    for (const one of parts.choices) one.radio.checked = one.interval === told.interval;
  }
  const price = SYNC_PRICES[parts.chosen()];
  const short = balance !== null && balance < price;
  const uncovered = told.active && told.nextCharge !== null && !told.nextCharge.covered;
  const status = !told.known ? "unknown" : told.gifted ? "gifted" : told.active ? "active" : told.paused ? "paused" : "local";
  const waits = !told.known && told.error === null;

  for (const part of [parts.title, parts.facts, parts.purse]) part.classList.toggle("skeleton", waits);
  parts.title.dataset["status"] = status;
  parts.title.textContent = t(waits ? "loading" : `status.${status}`);
  parts.facts.textContent = status === "unknown" ? t("loading") : t(`facts.${status}`, {
    price: credits(SYNC_PRICES[told.interval]),
    day: dayOrNone(told.active ? told.nextChargeAt : told.pausedAt, day),
  });
  parts.facts.hidden = status === "unknown" && !waits;
  parts.purse.textContent = balance === null ? t("balance.unknown") : t("facts.balance", { balance: credits(balance) });

  parts.notice.hidden = !told.known || told.gifted || !(uncovered || (!told.active && short));
  parts.missing.textContent = uncovered
    ? t("short.soon", { day: dayOrNone(told.nextChargeAt, day) })
    : t("short.now", { missing: credits(price - (balance ?? 0)), price: credits(price) });
  parts.problem.hidden = told.error === null || told.known;
  parts.wrong.textContent = explained(told.error, texts);

  parts.prices.disabled = !told.known || told.gifted;
  parts.activate.hidden = !told.known || told.active || short;
  parts.activate.textContent = t("activate", { price: credits(price) });
  parts.change.hidden = !told.active || told.gifted || parts.chosen() === told.interval;
  parts.deactivate.hidden = !told.active || told.gifted;
  parts.resumeRow.hidden = !(told.active || told.paused) || told.gifted;
  parts.resume.checked = told.autoResume;
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
