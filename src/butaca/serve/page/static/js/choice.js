// What the person chose, which is the address of the page: shareable, and the back button undoes it.
//
// film (item, of other goods), less, seen: ids, one parameter each; in.COLUMN: a label, or "low..high"; user; near:
// whose similar ones are open; again: 1 shows those already seen too, 0 does not, without it as the model was judged; k: how many; view=both: the list before ranking stands beside it.

import { noun } from "./words.js";

/** Whether lists keep what people had, as the model was judged and saved. */
export const usual = JSON.parse(document.querySelector('meta[name="butaca-again"]').content);

const FIRST = 10;
const LONGEST = 50;
const told = new Set();

export const choice = read();

function read() {
  const asked = new URLSearchParams(location.search);
  const where = {};
  for (const [name, value] of asked) {
    if (!name.startsWith("in.")) continue;
    const column = name.slice(3);
    const range = /^(-?[\d.]+)\.\.(-?[\d.]+)$/.exec(value);
    const days = /^(\d{4}-\d\d-\d\d)\.\.(\d{4}-\d\d-\d\d)$/.exec(value);
    if (days) where[column] = { min: days[1], max: days[2] };
    else if (range) where[column] = { min: Number(range[1]), max: Number(range[2]) };
    else if (!where[column] || Array.isArray(where[column])) (where[column] ??= []).push(value);
  }
  const k = Math.trunc(Number(asked.get("k"))) || FIRST;
  return {
    films: [...new Set([...asked.getAll("film"), ...asked.getAll("item")])], less: [...new Set(asked.getAll("less"))],
    seen: [...new Set(asked.getAll("seen"))], where, user: asked.get("user") || null,
    near: asked.get("near"), again: asked.has("again") ? asked.get("again") !== "0" : usual, both: asked.get("view") === "both", k: Math.min(Math.max(k, 1), LONGEST),
  };
}

function address() {
  const out = new URLSearchParams();
  for (const id of choice.films) out.append(noun.key === "film" ? "film" : "item", id);
  for (const id of choice.less) out.append("less", id);
  for (const id of choice.seen) out.append("seen", id);
  for (const [column, value] of Object.entries(choice.where)) {
    if (Array.isArray(value)) for (const label of value) out.append(`in.${column}`, label);
    else out.append(`in.${column}`, `${value.min}..${value.max}`);
  }
  if (choice.user) out.set("user", choice.user);
  if (choice.again !== usual) out.set("again", choice.again ? "1" : "0");
  if (choice.k !== FIRST) out.set("k", choice.k);
  if (choice.both) out.set("view", "both");
  if (choice.near) out.set("near", choice.near);
  const query = out.toString();
  return location.pathname + (query ? `?${query}` : "");
}

/** Change something. quiet: without a step for the back button, as while a slider moves. */
export function choose(change, { quiet = false } = {}) {
  const before = address();
  Object.assign(choice, typeof change === "function" ? change(choice) : change);
  const after = address();
  if (after === before) return;
  history[quiet ? "replaceState" : "pushState"](null, "", after);
  tell();
}

const without = (ids, id) => ids.filter((other) => other !== id);

/** A film belongs to one list at a time. */
export function put(list, id) {
  choose((now) => {
    const out = { films: without(now.films, id), less: without(now.less, id), seen: without(now.seen, id) };
    out[list] = [...out[list], id];
    return out;
  });
}

export function drop(list, id) {
  choose((now) => ({ [list]: without(now[list], id) }));
}

export function clear() {
  choose({ films: [], less: [], seen: [], k: FIRST });
}

export const more = () => choose((now) => ({ k: Math.min(now.k + FIRST, LONGEST) }));
export const canGrow = () => choice.k < LONGEST;

/** Called after every change, the back button's too. */
export function onChoice(act) {
  told.add(act);
}

function tell() {
  for (const act of told) act(choice);
}

addEventListener("popstate", () => {
  Object.assign(choice, read());
  tell();
});
