// Filters of the catalogue: labels as words to press, numbers and dates as a range, yes or no as two words.
import { get } from "./api.js";
import { choice, choose, onChoice, usual } from "./choice.js";
import { $, debounce, h } from "./dom.js";
import { range, shownRange } from "./slider.js";
import { capital, maybe, onLanguage, t } from "./words.js";

const FEW = 30; // words that stand there to be pressed; more are searched for
const FIRST = 10; // of those that are many
let columns = [];

export async function startFilters() {
  if (matchMedia("(min-width: 900px)").matches) $("filters").open = true;
  onChoice(show);
  onLanguage(build);
  try {
    columns = usable((await get("/v1/filters")).columns);
  } catch { return; } // a service without filters has none to show; other failures show in the list
  build();
}

const usable = (all) => [
  ...all.filter((c) => c.kind === "labels" && c.values?.length > 1).slice(0, 3),
  ...all.filter((c) => c.kind === "number" && c.max > c.min).slice(0, 3),
  ...all.filter((c) => c.kind === "date" && c.max > c.min).slice(0, 2),
  ...all.filter((c) => c.kind === "flag").slice(0, 4),
];

/** movie_genres, genre, year, movie_year: known by their ends; others keep their name. */
const named = (name) => /genres?$/i.test(name) ? t("column.genres") : /year$/i.test(name) ? t("column.year")
  : /(^|_)price$/i.test(name) ? t("column.price") : capital(name.replaceAll("_", " "));

const word = (column, value) => (column.kind === "flag" ? t(String(value) === String(column.values[0].value) ? "flag.yes" : "flag.no") : maybe("genre", value));

function build() {
  const focus = document.activeElement?.dataset?.filter;
  $("filters-body").replaceChildren(...columns.map((c) => (c.values ? labels(c) : range(c, named(c.name), set))),
    h("label", { class: "tick" }, h("input", { type: "checkbox", id: "again", "data-filter": "again", checked: choice.again, onchange: (e) => choose({ again: e.target.checked }) }),
      h("span", {}, t("keep seen"))),
    h("button", { type: "button", class: "quiet", id: "clear-filters", onclick: clearAll }, t("clear filters")));
  show();
  if (focus) document.querySelector(`[data-filter="${CSS.escape(focus)}"]`)?.focus();
}

function clearAll() {
  choose({ where: {}, again: usual });
  $("filters").querySelector("summary").focus();
}

function labels(column) {
  const id = `filter-${column.name}`;
  const many = column.kind === "labels" && column.total > FEW;
  const words = h("div", { class: "words" }, column.values.slice(0, many ? FIRST : FEW).map((v) => button(column, v)));
  return h("fieldset", { "data-labels": column.name }, h("legend", { id }, named(column.name)), many && search(column, words), words);
}

const button = (column, { value, count }) => h("button",
  { type: "button", "data-filter": `${column.name}=${value}`, "data-column": column.name, "data-value": value, "aria-pressed": "false", title: count === undefined ? null : t("pick.found", { n: count }), onclick: () => toggle(column.name, value) },
  word(column, value));

/** A field that finds words where there are too many to show; those that are pressed stay beside what it finds. */
function search(column, words) {
  const name = named(column.name);
  const input = h("input", { type: "search", "data-filter": `${column.name}?`, autocomplete: "off", spellcheck: "false", "aria-label": t("filter.search", { column: name }), placeholder: t("filter.hint", { n: column.total }) });
  let turn = 0;
  const ask = async () => {
    const mine = ++turn;
    const query = input.value.trim();
    try {
      const found = query ? (await get(`/v1/filters/${encodeURIComponent(column.name)}?${new URLSearchParams({ query, limit: FIRST })}`)).values : column.values.slice(0, FIRST);
      if (mine !== turn) return;
      const pressed = Array.isArray(choice.where[column.name]) ? choice.where[column.name] : [];
      const kept = pressed.filter((value) => !found.some((v) => v.value === value)).map((value) => ({ value }));
      words.replaceChildren(...[...kept, ...found].map((v) => button(column, v)), ...(found.length ? [] : [h("span", { class: "small" }, t("filter.none", { query }))]));
      show();
    } catch { /* the list beside it says what is wrong */ }
  };
  input.addEventListener("input", debounce(120, ask));
  return input;
}

function toggle(column, value) {
  const now = Array.isArray(choice.where[column]) ? choice.where[column] : [];
  const next = now.map(String).includes(String(value)) ? now.filter((v) => String(v) !== String(value)) : [...now, value];
  set(column, next.length ? next : null);
}

function set(column, value, quiet = false) {
  const where = { ...choice.where };
  if (value) where[column] = value;
  else delete where[column];
  choose({ where }, { quiet });
}

function show() {
  const told = [];
  for (const column of columns) {
    const value = choice.where[column.name];
    if (column.values) {
      const pressed = Array.isArray(value) ? value.map(String) : [];
      const box = document.querySelector(`[data-labels="${CSS.escape(column.name)}"] .words`);
      for (const missing of pressed.filter((v) => ![...box.children].some((b) => b.dataset.value === v))) box.prepend(button(column, { value: missing }));
      for (const one of box.querySelectorAll("[data-value]")) one.setAttribute("aria-pressed", String(pressed.includes(one.dataset.value)));
      if (pressed.length) told.push((column.kind === "flag" ? `${named(column.name)}: ` : "") + pressed.map((v) => word(column, v)).join(", "));
    } else {
      const text = shownRange(column, value);
      if (value) told.push(text);
    }
  }
  const again = $("again");
  if (again) again.checked = choice.again;
  $("filters-told").textContent = told.join("; ") || t("narrow.none");
  const clear = $("clear-filters");
  if (clear) clear.hidden = !told.length && choice.again === usual;
}
