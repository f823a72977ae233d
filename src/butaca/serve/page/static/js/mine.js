// The films named so far: liked, less like, already seen; and what to begin with.
import { get } from "./api.js";
import { choice, clear, drop, onChoice, put } from "./choice.js";
import { $, CROSS, h, icon, say } from "./dom.js";
import { fetchFilms, film, learn } from "./films.js";
import { complain } from "./notice.js";
import { plain, shown } from "./titles.js";
import { onLanguage, t, tongue } from "./words.js";

let starters = [];
let drawn = "";

export function startMine() {
  onChoice(show);
  onLanguage(draw);
  show();
  begin();
}

async function begin() {
  try {
    starters = learn((await get("/v1/items?limit=5")).items);
    draw();
  } catch { /* the list beside it says what is wrong */ }
}

async function show() {
  draw();
  const all = [...choice.films, ...choice.less, ...choice.seen];
  try {
    const lost = await fetchFilms(all);
    for (const id of lost) {
      for (const list of ["films", "less", "seen"]) if (choice[list].includes(id)) drop(list, id);
      say(t("unknown film", { title: id }));
    }
  } catch (failure) {
    complain(failure, show);
  }
  draw();
}

function draw() {
  const now = JSON.stringify([tongue(), choice.user, starters.length, ...["films", "less", "seen"].map((list) => choice[list].map((id) => film(id)))]);
  if (now === drawn) return; // the focus stays where it is
  drawn = now;
  const empty = !choice.films.length;
  $("starters").hidden = !empty || Boolean(choice.user);
  if (starters.length) $("starters").replaceChildren(h("h2", {}, t("starters")), h("p", {}, starters.map((item) => h("button",
    { type: "button", "aria-label": t("add", { title: plain(item) }), onclick: () => { put("films", item.id); $("title").focus({ preventScroll: true }); say(t("added", { title: plain(item) })); } },
    plain(item)))));
  const parts = ["films", "less", "seen"].map((list) => part(list));
  const any = choice.films.length + choice.less.length + choice.seen.length;
  $("mine").replaceChildren(...parts.filter(Boolean),
    ...(any > 1 ? [h("button", { type: "button", class: "quiet", onclick: () => { clear(); $("title").focus(); } }, t("clear"))] : []));
}

function part(list) {
  if (!choice[list].length) return null;
  const heading = `mine-${list}`;
  return h("div", { class: `mine ${list}` },
    h("h2", { id: heading }, t({ films: "mine", less: "less", seen: "seen" }[list])),
    h("ul", { "aria-labelledby": heading }, choice[list].map((id) => row(list, id))));
}

function row(list, id) {
  const { name, year } = shown(film(id));
  return h("li", {},
    h("span", {}, name, year && h("small", {}, ` ${year}`)),
    h("button", { type: "button", class: "icon", "aria-label": t("remove", { title: name }), onclick: () => remove(list, id) }, icon(CROSS)));
}

/** The focus goes on to the next in the list, or back to the field. */
function remove(list, id) {
  const place = choice[list].indexOf(id);
  const title = plain(film(id));
  drop(list, id);
  const buttons = $("mine").querySelectorAll(`.${list} li button`);
  (buttons[Math.min(place, buttons.length - 1)] ?? $("title")).focus();
  say(t("removed", { title }));
}
