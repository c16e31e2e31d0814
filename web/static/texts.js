/** The texts of the pages in the reader's language, and numbers and dates as that language writes them. @module */

/** @typedef {"en" | "de"} Language */
/** @typedef {(key: string, facts?: Record<string, string | number>) => string} Translate */

const LOCALES = { en: "en-GB", de: "de-DE" };

/** @type {Map<Language, Promise<Record<string, string>>>} */
const catalogues = new Map();

/** Give the language in which an element of the page is written. @param {Element} element @returns {Language} */
export function languageOf(element) {
  const languageTag = element.closest("[lang]")?.getAttribute("lang") ?? navigator.language;
  return languageTag.toLowerCase().startsWith("de") ? "de" : "en";
}

/** Load the texts of a language. @param {Language} language */
export async function textsIn(language) {
  let catalogue = catalogues.get(language);
  if (!catalogue) {
    catalogue = fetch(new URL(`./texts/${language}.json`, import.meta.url)).then((response) => response.json());
    catalogues.set(language, catalogue);
  }
  const texts = await catalogue;
  const locale = LOCALES[language];

  /** @type {Translate} */
  const t = (key, facts = {}) =>
    (texts[key] ?? key).replace(/\{(\w+)\}/g, (placeholder, name) => String(facts[name] ?? placeholder));

  return {
    t,
    /** Write an amount of credits. @param {number} amount */
    credits: (amount) =>
      t(new Intl.PluralRules(locale).select(amount) === "one" ? "credits.one" : "credits.other", {
        amount: new Intl.NumberFormat(locale).format(amount),
      }),
    /** Write a number. @param {number} value */
    number: (value) => new Intl.NumberFormat(locale).format(value),
    /** Write a change of the balance, always with its sign. @param {number} amount */
    signed: (amount) => new Intl.NumberFormat(locale, { signDisplay: "always" }).format(amount),
    /** Write a share, 0 to 1. @param {number} share */
    percent: (share) => new Intl.NumberFormat(locale, { style: "percent" }).format(share),
    /** Write an amount of money. @param {number} euroCents */
    euro: (euroCents) => new Intl.NumberFormat(locale, { style: "currency", currency: "EUR" }).format(euroCents / 100),
    /** Write a day. @param {string} instant */
    day: (instant) => new Intl.DateTimeFormat(locale, { dateStyle: "long" }).format(new Date(instant)),
    /** Write a day and a time. @param {string | Date} instant */
    time: (instant) =>
      new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "short" }).format(new Date(instant)),
  };
}

/** @typedef {Awaited<ReturnType<typeof textsIn>>} Texts */
