// Films similar to one, in a panel; the address remembers it, so the back button closes it.
import { get, itemPath } from "./api.js";
import { choice, choose, onChoice } from "./choice.js";
import { $, CROSS, h, icon, PLUS, say } from "./dom.js";
import { fetchFilms, film, learn } from "./films.js";
import { linked } from "./goods.js";
import { complain } from "./notice.js";
import { plain, shown } from "./titles.js";
import { figure, maybe, onLanguage, t } from "./words.js";

const dialog = $("similar");
let shownId = null;
let near = [];
let add = null;

export const openSimilar = (id) => choose({ near: id });

/** adder: what naming a film as liked does. */
export function startSimilar(adder) {
  add = adder;
  onChoice(() => { if (choice.near !== shownId) show(); else if (shownId) draw(); });
  onLanguage(() => { if (shownId) draw(); });
  dialog.addEventListener("close", () => { if (choice.near) choose({ near: null }); });
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  if (choice.near) show();
}

async function show() {
  const id = choice.near;
  shownId = id;
  if (!id) { if (dialog.open) dialog.close(); return; }
  near = [];
  try {
    const [answer] = await Promise.all([get(itemPath(id, "/similar?k=12")), fetchFilms([id])]);
    if (choice.near !== id) return;
    if (answer.item) learn([answer.item]);
    near = learn(answer.items);
    draw();
    if (!dialog.open) dialog.showModal();
    dialog.scrollTop = 0;
    $("similar-title").focus();
  } catch (failure) {
    choose({ near: null }, { quiet: true });
    complain(failure, () => openSimilar(id));
  }
}

function draw() {
  const { name, also, year } = shown(film(shownId));
  const kinds = (film(shownId).genres ?? []).map((g) => maybe("genre", g)).join(", ");
  const focus = document.activeElement?.dataset?.key;
  dialog.replaceChildren(
    h("button", { type: "button", class: "icon close", "aria-label": t("close"), onclick: () => dialog.close() }, icon(CROSS)),
    h("p", { class: "lead" }, t("similar")),
    h("h2", { id: "similar-title", tabindex: -1 }, linked(film(shownId), name), year && h("small", {}, ` ${year}`)),
    (also || kinds) && h("p", { class: "kinds" }, also && h("i", {}, also, kinds && ". "), kinds),
    choice.films.includes(shownId) ? h("p", { class: "have" }, t("added.mine"))
      : h("button", { type: "button", class: "whole", "data-key": "self", onclick: () => take(shownId) }, t("add.mine")),
    h("ol", { class: "near" }, near.map((item) => row(item))),
    h("p", { class: "small" }, t("similar.what")));
  if (focus) (dialog.querySelector(`[data-key="${CSS.escape(focus)}"]:not(:disabled)`) ?? $("similar-title")).focus();
}

function row(item) {
  const { name, year } = shown(film(item.id));
  const mine = choice.films.includes(item.id);
  return h("li", {},
    h("button", { type: "button", class: "name", "data-key": `near ${item.id}`, "aria-label": t("similar.to", { title: name }), onclick: () => openSimilar(item.id) }, name, year && h("small", {}, ` ${year}`)),
    h("span", { class: "cosine" }, figure(item.score, 2)),
    h("button", { type: "button", class: "plus", "data-key": `add ${item.id}`, disabled: mine, "aria-label": mine ? t("added.mine") : t("add", { title: name }), onclick: () => take(item.id) }, icon(mine ? "M4 10.5l4 4 8-9" : PLUS)));
}

function take(id) {
  add(id);
  say(t("added", { title: plain(film(id)) }));
}
