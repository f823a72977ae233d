// The field for titles: a combobox with a list, as the ARIA authoring practices have it.
import { get } from "./api.js";
import { choice, drop, put } from "./choice.js";
import { $, debounce, h, say } from "./dom.js";
import { learn } from "./films.js";
import { complain } from "./notice.js";
import { plain, shown } from "./titles.js";
import { maybe, t } from "./words.js";

const LIMIT = 8;
const MOST = 100; // that the service answers with
const input = $("title");
const list = $("titles");
let found = [];
let at = -1;
let moved = null; // the id that an arrow has gone to since the last letter
let flying = null;

export function startPicker() {
  input.addEventListener("input", () => { flying?.abort(); moved = null; soon(); });
  input.addEventListener("keydown", onKey);
  input.addEventListener("focus", () => { if (input.value.trim()) ask(); });
  input.addEventListener("blur", () => close());
  list.addEventListener("pointerdown", (event) => event.preventDefault()); // the focus stays in the field
  list.addEventListener("click", (event) => {
    const option = event.target.closest("[role=option]");
    if (option) take(Number(option.dataset.at));
  });
}

const soon = debounce(70, ask);

async function ask() {
  const query = input.value.trim();
  if (!query) { close(); return; }
  flying?.abort();
  flying = new AbortController();
  try {
    const answer = await get(`/v1/items?${new URLSearchParams({ query, limit: Math.min(LIMIT + choice.films.length, MOST) })}`, { signal: flying.signal });
    if (input.value.trim() !== query || document.activeElement !== input) return;
    found = learn(answer.items).filter((item) => !choice.films.includes(item.id)).slice(0, LIMIT);
    open(query);
  } catch (failure) {
    if (failure.name !== "AbortError") complain(failure, ask);
  }
}

function open(query) {
  at = found.length ? Math.max(0, found.findIndex((item) => item.id === moved)) : -1; // a late list keeps the choice
  list.replaceChildren(...found.map((item, place) => {
    const { name, also, year } = shown(item);
    return h("li", { role: "option", id: `title-${place}`, "data-at": place, "aria-selected": String(place === at) },
      h("span", { class: "name" }, name, year && h("small", {}, ` ${year}`)),
      h("span", { class: "kind" }, also || (item.genres ?? []).map((g) => maybe("genre", g)).join(", ")));
  }));
  list.hidden = !found.length;
  $("no-title").hidden = found.length > 0;
  $("no-title").textContent = found.length ? "" : t("pick.none", { query });
  input.setAttribute("aria-expanded", String(found.length > 0));
  mark();
  say(found.length ? t("pick.found", { n: found.length }) : t("pick.none", { query }), "found");
}

function mark() {
  for (const [place, option] of [...list.children].entries()) {
    option.setAttribute("aria-selected", String(place === at));
    if (place === at) option.scrollIntoView({ block: "nearest" });
  }
  if (at >= 0) input.setAttribute("aria-activedescendant", `title-${at}`);
  else input.removeAttribute("aria-activedescendant");
}

function close() {
  flying?.abort();
  found = [];
  at = -1;
  moved = null;
  list.hidden = true;
  $("no-title").hidden = true;
  input.setAttribute("aria-expanded", "false");
  input.removeAttribute("aria-activedescendant");
}

function take(place) {
  const item = found[place];
  if (!item) return;
  input.value = "";
  close();
  put("films", item.id);
  say(t("added", { title: plain(item) }));
}

function onKey(event) {
  if (event.isComposing) return;
  const move = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (move) {
    event.preventDefault();
    if (!found.length) { ask(); return; }
    at = (at + move + found.length) % found.length;
    moved = found[at].id;
    mark();
  } else if (event.key === "Enter") {
    event.preventDefault();
    if (at >= 0) take(at);
    else if (input.value.trim()) ask();
  } else if (event.key === "Escape") {
    if (!list.hidden || !$("no-title").hidden) close();
    else input.value = "";
    event.preventDefault();
  } else if (event.key === "Backspace" && !input.value && choice.films.length) {
    const last = choice.films.at(-1);
    drop("films", last);
  }
}
