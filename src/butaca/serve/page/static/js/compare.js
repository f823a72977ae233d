// Before and after: the list as retrieved beside the list as ranked, and a line for each film between the two.
import { post } from "./api.js";
import { choice, choose, onChoice } from "./choice.js";
import english from "./compare-en.js";
import spanish from "./compare-es.js";
import { $, h, icon, PLUS, s, say } from "./dom.js";
import { film, learn } from "./films.js";
import { complain, settle } from "./notice.js";
import { openSimilar } from "./similar.js";
import { plain, shown } from "./titles.js";
import { why } from "./why.js";
import { onLanguage, t, teach } from "./words.js";

const box = h("div", { class: "compare", id: "compare", hidden: true });
const toggle = h("div", { class: "words stages", id: "stages", role: "group", hidden: true });
let answer = null; // the last one, and what was asked
let body = null;
let drawn = null; // {now, before}: the answer whose lists are on the page
let flying = null;
let troubled = false; // what is complained of is ours
let add = null;

/** adder: what naming a film as liked does. Gives back what every new answer is told to, with what was asked. */
export function startCompare(adder) {
  add = adder;
  teach({ en: english, es: spanish });
  document.querySelector(".programme .head").append(toggle);
  $("list").after(box);
  onChoice(show);
  onLanguage(() => { label(); if (drawn) draw(); });
  for (const kind of ["mouseover", "focusin"]) box.addEventListener(kind, ({ target }) => mark(target.closest("[data-film]")?.dataset.film));
  for (const kind of ["mouseleave", "focusout"]) box.addEventListener(kind, () => mark(null));
  return (got, asked) => {
    [answer, body] = [got, asked];
    show();
  };
}

function label() {
  toggle.setAttribute("aria-label", t("stages"));
  const focused = [...toggle.children].indexOf(document.activeElement);
  toggle.replaceChildren(...[false, true].map((both) => h("button", { type: "button", "aria-pressed": String(both === choice.both), onclick: () => choose({ both }) },
    t(both ? "stages.both" : "stages.one"))));
  toggle.children[focused]?.focus();
}

/** Both lists where the address asks for them and there are two; the list before is asked for then. */
function show() {
  if (!answer) return;
  const ranked = answer.items.some((item) => item.place);
  toggle.hidden = !ranked;
  [...toggle.children].forEach((button, both) => button.setAttribute("aria-pressed", String(Boolean(both) === choice.both)));
  const both = ranked && choice.both;
  if (both && drawn?.now !== answer) ask();
  else swap(both);
  if (!both && troubled) settle();
  troubled &&= both;
}

function swap(both) {
  $("list").hidden = both;
  box.hidden = !both;
}

/** The same question to the same model, without its second stage. */
async function ask() {
  flying?.abort();
  flying = new AbortController();
  const now = answer;
  box.setAttribute("aria-busy", "true");
  try {
    const question = { ...body, rank: false, explain: false, model: now.model_version };
    const before = learn((await post("/v1/recommend", question, { signal: flying.signal })).items);
    if (now !== answer || !choice.both) return;
    if (troubled) settle();
    troubled = false;
    const longer = drawn && drawn.now.items.length < now.items.length ? drawn.now.items.length : null;
    drawn = { now, before };
    draw();
    swap(true);
    if (longer !== null && document.activeElement === document.body) box.querySelectorAll(".after .name")[longer]?.focus({ preventScroll: true });
    say(told(), "compare");
  } catch (failure) {
    if (failure.name === "AbortError") return;
    troubled = true;
    complain(failure, show);
  }
  box.setAttribute("aria-busy", "false");
}

const places = (items) => new Map(items.map((item, i) => [item.id, i + 1]));

/** How many went where, in one sentence. */
function told() {
  const { now, before } = drawn;
  const had = places(before);
  const from = now.items.map((item, i) => (had.get(item.id) ?? NaN) - i - 1); // rows up; NaN: new
  const count = (key, test) => from.some(test) && t(key, { n: from.filter(test).length });
  const moves = [count("films up", (by) => by > 0), count("films down", (by) => by < 0), count("films new", Number.isNaN)].filter(Boolean);
  return t("stages.told", { moves: moves.join(", ") || t("films same") });
}

function draw() {
  const { now, before } = drawn;
  const focused = document.activeElement?.closest?.("#compare button");
  const row = focused?.closest("li"), list = row?.parentElement;
  const [place, side, key] = [list && [...list.children].indexOf(row), list?.parentElement.className, focused?.dataset.key];
  const [left, right] = [places(before), places(now.items)];
  box.replaceChildren(h("p", { class: "small" }, told()),
    half("before", before.map((item, i) => entry(item, i + 1, gone(i + 1, right.get(item.id))))),
    lines(now.items, before, left, right),
    half("after", now.items.map((item, i) => entry(item, i + 1, came(i + 1, item, left.get(item.id), before.length), true))));
  if (focused) (box.querySelector(`[data-key="${CSS.escape(key)}"]`) ?? box.querySelectorAll(`.${side} li`)[Math.min(place, now.items.length - 1)]?.querySelector("button") ?? $("programme")).focus({ preventScroll: true });
}

const half = (side, rows) => h("section", { class: side, "aria-labelledby": `${side}-title` },
  h("h3", { id: `${side}-title` }, t(`stages.${side}`)), h("ol", {}, rows));

/**
 * How a film moved, by the list before: its class, the words for the eye, what moved it most, and the words for the ear.
 * Where it was below that list, its place among the candidates; of whom nothing is known the list before is what is
 * popular, which is not the candidates' order, so a new film may have a place that the list itself denies.
 */
function came(at, item, from, shownBefore) {
  if (from === at) return ["", "", "", t("stays")];
  const reasons = why(item.moved, !(from < at));
  const more = (words) => [words, reasons.join(", ")].filter(Boolean).join(": ");
  if (from) return [from > at ? "up" : "down", t(from > at ? "up" : "down", { n: Math.abs(from - at) }), reasons[0], more(t("was", { place: from }))];
  const told = item.place > shownBefore ? t("came", { place: item.place }) : t("came.in");
  return ["up new", told, reasons[0], more(told)];
}

function gone(at, to) {
  if (to === undefined) return ["out", t("out"), "", t("out.long")];
  return ["", "", "", to === at ? t("stays") : t("now.at", { place: to })];
}

function entry(item, at, [kind, moved, reason, ear], after = false) {
  const { name: title, year } = shown(film(item.id));
  const side = after ? "after" : "before";
  const id = `${side}-${at}`;
  return h("li", { class: kind || null, "data-film": item.id },
    h("span", { class: "n", "aria-hidden": "true" }, at),
    h("button", { type: "button", class: "name", "data-key": `${side} ${item.id}`, "aria-label": t("similar.to", { title }), "aria-describedby": id, onclick: () => openSimilar(item.id) },
      h("span", {}, title, year && h("small", {}, ` ${year}`)),
      moved && h("span", { class: "moved" }, h("b", {}, moved), reason && h("i", {}, `: ${reason}`))),
    h("span", { class: "away", id }, t("place", { title: plain(film(item.id)), place: at, then: ear })),
    after && h("button", { type: "button", class: "plus", "data-key": `add ${item.id}`, "aria-label": t("add", { title }), title: t("add.short"), onclick: () => add(item.id) }, icon(PLUS)));
}

/** A row is ten high. What came from below, or fell out, crosses the lower edge. */
function lines(items, before, left, right) {
  const rows = Math.max(items.length, before.length);
  const pairs = [...before.map((item, i) => [item.id, i + 1, right.get(item.id) ?? rows + 1]),
    ...items.filter((item) => !left.has(item.id)).map((item) => [item.id, rows + 1, right.get(item.id)])];
  return s("svg", { viewBox: `0 0 100 ${rows * 10}`, preserveAspectRatio: "none", "aria-hidden": "true" }, pairs.map(([id, from, to]) => s("path",
    { "data-film": id, class: to < from ? "up" : to > from ? "down" : null, d: `M0 ${from * 10 - 5}C50 ${from * 10 - 5} 50 ${to * 10 - 5} 100 ${to * 10 - 5}` })));
}

/** A film is lit on both sides. */
function mark(id) {
  for (const node of box.querySelectorAll("[data-film]")) node.classList.toggle("on", node.dataset.film === id);
}
