// Differences as dots with their intervals, zero marked: the report's chart, drawn here.
import { s } from "./dom.js";
import { signed, t } from "./words.js";

const WIDE = 360;
const ROW = 46;

/** About n round figures within low to high. */
export function ticks(low, high, n = 4) {
  const rough = Math.max(high - low, 1e-12) / n;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((m) => power * m >= rough * 0.999);
  const out = [];
  for (let i = Math.ceil(low / step - 1e-9); i <= Math.floor(high / step + 1e-9); i++) out.push(Number((i * step).toPrecision(12)));
  return out;
}

/** rows: [{name, value, low, high, word, said}]; zero: whether zero is drawn in; digits: of the axis. */
export function forest(rows, { label, zero = true, format = (v, d) => (v ? signed(v, d) : "0") }) {
  const ends = rows.flatMap((row) => [row.low, row.high, row.value]).filter(Number.isFinite);
  if (zero) ends.push(0);
  const room = Math.max(Math.max(...ends) - Math.min(...ends), 1e-4) * 0.06;
  const low = Math.min(...ends) - room, high = Math.max(...ends) + room;
  const x = (v) => (6 + ((v - low) / (high - low)) * (WIDE - 12)).toFixed(1);
  const marks = ticks(low, high);
  const step = marks.length > 1 ? marks[1] - marks[0] : 0.1;
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  const bottom = ROW * rows.length + 2;
  const parts = [];
  for (const [place, row] of rows.entries()) {
    const top = ROW * place, y = top + 35;
    for (const mark of marks) {
      parts.push(s("line", { x1: x(mark), x2: x(mark), y1: top + 27, y2: top + 43, class: zero && mark === 0 ? "zero" : "grid" }));
    }
    parts.push(s("text", { x: 0, y: top + 19, class: "label" }, row.name));
    parts.push(s("text", { x: WIDE, y: top + 19, class: `value ${row.word ?? ""}`, "text-anchor": "end" }, row.said));
    if (Number.isFinite(row.low)) parts.push(s("line", { x1: x(row.low), x2: x(row.high), y1: y, y2: y, class: `interval ${row.word ?? ""}` }));
    if (Number.isFinite(row.value)) parts.push(s("circle", { cx: x(row.value), cy: y, r: 4.5, class: `dot ${row.word ?? ""}` }));
  }
  for (const mark of marks) {
    const at = Number(x(mark)), text = format(mark, digits), half = text.length * 3.4;
    const anchor = at < half ? "start" : at > WIDE - half ? "end" : "middle";
    parts.push(s("text", { x: anchor === "start" ? 0 : anchor === "end" ? WIDE : at, y: bottom + 15, class: "tick", "text-anchor": anchor }, text));
  }
  return s("svg", { class: "plot", viewBox: `0 0 ${WIDE} ${bottom + 20}`, role: "img", "aria-label": label }, parts);
}

/** A verdict's comparisons on one measure. */
export function comparisons(label, rows) {
  const said = rows.map(({ name, c }) => t("plot.row", {
    word: t(c.word), name, difference: signed(c.difference), low: signed(c.low), high: signed(c.high),
  }));
  return forest(rows.map(({ name, c }) => ({
    name, value: c.difference, low: c.low ?? NaN, high: c.high ?? NaN, word: c.word, said: `${signed(c.difference)} ${t(c.word)}`,
  })), { label: `${label}: ${said.join("; ")}.` });
}

