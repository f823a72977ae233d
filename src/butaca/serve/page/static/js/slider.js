// Two thumbs on one line, for numbers by their own precision, on a scale that may have stops, and for dates.
import { h } from "./dom.js";
import { day, figure, t, upTo } from "./words.js";

const DAY = 86_400_000;
const days = (text) => Date.parse(`${text}T00:00:00Z`) / DAY;

/** How a column lies on its slider: places from low to high, what a place holds, where a value is, and its text. */
function scale(column) {
  if (column.kind === "date") {
    return { low: days(column.min), high: days(column.max), step: 1, value: (at) => new Date(at * DAY).toISOString().slice(0, 10), at: days, text: (value) => day(new Date(days(value) * DAY)) };
  }
  const digits = column.digits ?? 0;
  const text = (value) => (digits > 2 ? upTo(value, digits) : digits || Math.abs(value) >= 10_000 ? figure(value, digits) : String(value));
  if (column.stops) {
    const nearest = (value) => column.stops.reduce((best, stop, at) => (Math.abs(stop - value) < Math.abs(column.stops[best] - value) ? at : best), 0);
    return { low: 0, high: column.stops.length - 1, step: 1, value: (at) => column.stops[at], at: nearest, text };
  }
  return { low: column.min, high: column.max, step: digits ? Number((10 ** -digits).toFixed(digits)) : 1, value: (at) => at, at: (value) => value, text };
}

/** Each thumb is an ordinary range, so the keyboard and a screen reader know it. */
export function range(column, name, set) {
  const { low, high, step, value } = scale(column);
  const both = ["low", "high"].map((end) => h("input", {
    type: "range", class: end, min: low, max: high, step,
    "aria-label": `${name}, ${t(end === "low" ? "from" : "to")}`, "data-filter": `${column.name}.${end}`, "data-range": column.name,
  }));
  let pushed = false;
  const read = (event) => {
    let [a, b] = both.map((input) => Number(input.value));
    if (a > b) {
      if (event.target === both[0]) a = b; else b = a;
      event.target.value = event.target === both[0] ? a : b;
    }
    set(column.name, a <= low && b >= high ? null : { min: value(a), max: value(b) }, pushed);
    pushed = true; // one step for the back button, however long the thumb moves
  };
  for (const input of both) {
    input.addEventListener("input", read);
    input.addEventListener("change", () => { pushed = false; });
  }
  return h("fieldset", { class: "range", "data-column": column.name },
    h("legend", {}, name, h("output", {})), h("div", { class: "rail" }, both));
}

/** Puts the thumbs where the choice is, and gives back its text. */
export function shownRange(column, value) {
  const box = document.querySelector(`fieldset.range[data-column="${CSS.escape(column.name)}"]`);
  const { low, high, at, text } = scale(column);
  const ends = [value?.min ?? column.min, value?.max ?? column.max];
  const places = ends.map(at);
  const inputs = box.querySelectorAll("input");
  for (const [n, input] of [...inputs].entries()) {
    input.value = places[n];
    input.setAttribute("aria-valuetext", text(ends[n]));
  }
  box.style.setProperty("--low", (places[0] - low) / (high - low));
  box.style.setProperty("--high", (places[1] - low) / (high - low));
  const shown = t("range", { low: text(ends[0]), high: text(ends[1]) });
  box.querySelector("output").textContent = shown;
  return shown;
}
