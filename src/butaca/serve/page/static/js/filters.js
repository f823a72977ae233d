// Filters of the catalogue: labels as words to press, numbers as a range.
import { get } from "./api.js";
import { choice, choose, onChoice } from "./choice.js";
import { $, h } from "./dom.js";
import { maybe, onLanguage, t } from "./words.js";

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
  ...all.filter((c) => c.kind === "labels" && c.values?.length > 1).slice(0, 1),
  ...all.filter((c) => c.kind === "number" && c.max > c.min).slice(0, 2),
];

/** movie_genres, genre, year, movie_year: known by their ends; others keep their name. */
const named = (name) => /genres?$/i.test(name) ? t("column.genres") : /year$/i.test(name) ? t("column.year") : name.replaceAll("_", " ");

function build() {
  const focus = document.activeElement?.dataset?.filter;
  $("filters-body").replaceChildren(...columns.map((c) => (c.kind === "labels" ? labels(c) : range(c))),
    h("label", { class: "tick" }, h("input", { type: "checkbox", id: "again", "data-filter": "again", checked: choice.again, onchange: (e) => choose({ again: e.target.checked }) }),
      h("span", {}, t("keep seen"))),
    h("button", { type: "button", class: "quiet", id: "clear-filters", onclick: clearAll }, t("clear filters")));
  show();
  if (focus) document.querySelector(`[data-filter="${CSS.escape(focus)}"]`)?.focus();
}

function clearAll() {
  choose({ where: {}, again: false });
  $("filters").querySelector("summary").focus();
}

function labels(column) {
  const id = `filter-${column.name}`;
  return h("fieldset", {}, h("legend", { id }, named(column.name)),
    h("div", { class: "words" }, column.values.slice(0, 24).map(({ value, count }) => h("button",
      { type: "button", "data-filter": `${column.name}=${value}`, "data-column": column.name, "data-value": value, "aria-pressed": "false", title: t("pick.found", { n: count }), onclick: () => toggle(column.name, value) },
      maybe("genre", value)))));
}

function toggle(column, value) {
  const now = Array.isArray(choice.where[column]) ? choice.where[column] : [];
  const next = now.includes(value) ? now.filter((v) => v !== value) : [...now, value];
  choose({ where: withColumn(column, next.length ? next : null) });
}

function withColumn(column, value) {
  const where = { ...choice.where };
  if (value) where[column] = value;
  else delete where[column];
  return where;
}

/** Two thumbs on one line; each is an ordinary range, so the keyboard and a screen reader know it. */
function range(column) {
  const name = named(column.name);
  const both = ["low", "high"].map((end) => h("input", {
    type: "range", class: end, min: column.min, max: column.max, step: Number.isInteger(column.min) && Number.isInteger(column.max) ? 1 : "any",
    "aria-label": `${name}, ${t(end === "low" ? "from" : "to")}`, "data-filter": `${column.name}.${end}`, "data-range": column.name,
  }));
  let pushed = false;
  const read = (event) => {
    let [low, high] = both.map((input) => Number(input.value));
    if (low > high) {
      if (event.target === both[0]) low = high; else high = low;
      event.target.value = event.target === both[0] ? low : high;
    }
    const whole = low <= column.min && high >= column.max;
    choose({ where: withColumn(column.name, whole ? null : { min: low, max: high }) }, { quiet: pushed });
    pushed = true; // one step for the back button, however long the thumb moves
  };
  for (const input of both) {
    input.addEventListener("input", read);
    input.addEventListener("change", () => { pushed = false; });
  }
  return h("fieldset", { class: "range", "data-column": column.name },
    h("legend", {}, name, h("output", {})), h("div", { class: "rail" }, both));
}

function show() {
  const told = [];
  for (const column of columns) {
    const value = choice.where[column.name];
    if (column.kind === "labels") {
      for (const button of document.querySelectorAll(`[data-column="${CSS.escape(column.name)}"][data-value]`)) {
        button.setAttribute("aria-pressed", String(Array.isArray(value) && value.includes(button.dataset.value)));
      }
      if (Array.isArray(value)) told.push(value.map((v) => maybe("genre", v)).join(", "));
    } else {
      const box = document.querySelector(`fieldset.range[data-column="${CSS.escape(column.name)}"]`);
      const low = value?.min ?? column.min;
      const high = value?.max ?? column.max;
      const [a, b] = box.querySelectorAll("input");
      a.value = low;
      b.value = high;
      const span = column.max - column.min;
      box.style.setProperty("--low", (low - column.min) / span);
      box.style.setProperty("--high", (high - column.min) / span);
      const text = t("range", { low: String(low), high: String(high) });
      box.querySelector("output").textContent = text;
      for (const input of [a, b]) input.setAttribute("aria-valuetext", String(input === a ? low : high));
      if (value) told.push(text);
    }
  }
  const again = $("again");
  if (again) again.checked = choice.again;
  $("filters-told").textContent = told.join("; ") || t("narrow.none");
  const clear = $("clear-filters");
  if (clear) clear.hidden = !told.length && !choice.again;
}
