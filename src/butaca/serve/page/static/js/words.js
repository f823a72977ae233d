// Words and figures in the reader's language: what they chose before, else the browser's, else English.
import en from "./en.js";
import es from "./es.js";

const LANGUAGES = { en, es };
const KEPT = "butaca.language";
const told = new Set();

let language = kept() ?? [...navigator.languages].map((l) => l.slice(0, 2)).find((l) => l in LANGUAGES) ?? "en";

function kept() {
  try {
    const own = localStorage.getItem(KEPT);
    return own in LANGUAGES ? own : null;
  } catch { return null; } // storage may be forbidden
}

/** What the items are called and what is done with them, as the service says in the page: {key, en, es}. */
export const noun = JSON.parse(document.querySelector('meta[name="butaca-noun"]').content);

export const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

/** The holes that the noun fills. In Spanish a participle agrees: seena with one, seens with several. */
function called() {
  const { one, many, other, seen, saw, i_saw: isaw } = noun[language];
  const seena = language === "es" && other ? seen.replace(/o$/, "a") : seen;
  return { item: one, items: many, Item: capital(one), Items: capital(many), seen, Seen: capital(seen), seena, seens: `${seena}s`, saw, isaw };
}

/** The sentence under a key, or its own for such nouns as "key@film"; with n, its form for that many. [a|an]: as the noun has it. */
export function t(key, values = {}) {
  const words = LANGUAGES[language];
  const find = (name) => words[`${name}@${noun.key}`] ?? words[name];
  let text = find(key);
  if (text === undefined && typeof values.n === "number") {
    const one = new Intl.PluralRules(language).select(values.n) === "one";
    text = find(`${key}.${one ? "one" : "other"}`);
  }
  const all = { ...called(), ...values };
  return (text ?? key).replace(/\[([^|\]]*)\|([^\]]*)\]/g, (_, first, second) => (noun[language].other ? second : first)).replace(/\{(\w+)\}/g, (_, name) => {
    const value = all[name];
    return typeof value === "number" ? count(value) : String(value ?? "");
  });
}

/** More sentences: {en, es}, of a part of the page that is fetched only where it is needed. */
export function teach(more) {
  for (const name of Object.keys(LANGUAGES)) Object.assign(LANGUAGES[name], more[name]);
}

/** The word under a key, or what was given where nobody wrote one, such as a new genre. */
export const maybe = (kind, name) => LANGUAGES[language][`${kind}.${name}`] ?? name;

export const tongue = () => language;

/** The reader's own region where it is of this language: its dates and marks. */
const region = () => navigator.languages.find((l) => l.slice(0, 2) === language) ?? language;

const formats = new Map();
function format(kind, options) {
  const key = language + kind.name + JSON.stringify(options ?? {});
  const place = kind === Intl.ListFormat && language === "en" ? "en-GB" : region(); // a, b and c
  if (!formats.has(key)) formats.set(key, new kind(place, options));
  return formats.get(key);
}

export const count = (n) => format(Intl.NumberFormat, { maximumFractionDigits: 0 }).format(n);
export const figure = (n, digits = 4) => Number.isFinite(n)
  ? format(Intl.NumberFormat, { minimumFractionDigits: digits, maximumFractionDigits: digits }).format(n).replace("-", "−") : "–";
/** With so many decimals at most, and no zeros at its end. */
export const upTo = (n, digits) => format(Intl.NumberFormat, { maximumFractionDigits: digits }).format(n).replace("-", "−");
export const signed = (n, digits = 3) => (n > 0 ? "+" : "") + figure(n, digits);
export const percent = (n, digits = 0) => Number.isFinite(n)
  ? format(Intl.NumberFormat, { style: "percent", maximumFractionDigits: digits }).format(n) : "–";
export const listed = (names) => format(Intl.ListFormat, { type: "conjunction" }).format(names);
/** The pieces of a list, so that each name may be an element. */
export const listedParts = (names) => format(Intl.ListFormat, { type: "conjunction" }).formatToParts(names);
export const clock = (date) => format(Intl.DateTimeFormat, { timeStyle: "medium" }).format(date);
/** A day without its time, which is one of UTC. */
export const day = (date) => format(Intl.DateTimeFormat, { dateStyle: "medium", timeZone: "UTC" }).format(date);
export const moment = (date) => format(Intl.DateTimeFormat, { dateStyle: "short", timeStyle: "short" }).format(date);

/** Called now, and after every change of language. */
export function onLanguage(act) {
  told.add(act);
  act();
}

/** Write the words of the page's own elements, and let its buttons change them. */
export function speak(title) {
  const write = () => {
    document.documentElement.lang = language;
    document.title = t(title);
    for (const node of document.querySelectorAll("[data-t]")) node.textContent = t(node.dataset.t);
    for (const node of document.querySelectorAll("[data-t-label]")) node.setAttribute("aria-label", t(node.dataset.tLabel, { n: "" }));
    for (const node of document.querySelectorAll("[data-t-placeholder]")) node.placeholder = t(node.dataset.tPlaceholder);
    for (const node of document.querySelectorAll("[data-tongue]")) {
      node.setAttribute("aria-pressed", String(node.dataset.tongue === language));
    }
  };
  write();
  document.documentElement.dataset.spoken = "";
  for (const node of document.querySelectorAll("[data-tongue]")) {
    node.addEventListener("click", () => {
      if (node.dataset.tongue === language) return;
      language = node.dataset.tongue;
      try { localStorage.setItem(KEPT, language); } catch { /* it is kept for this visit only */ }
      write();
      for (const act of told) act();
    });
  }
}
