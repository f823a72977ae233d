// The list that answers: asked again at every change, the last question wins.
import { post } from "./api.js";
import { canGrow, choice, more, onChoice, put, usual } from "./choice.js";
import { $, debounce, h, icon, PLUS, say } from "./dom.js";
import { fetchKinds, film, learn } from "./films.js";
import { reorder } from "./flip.js";
import { linked, picture, pictures } from "./goods.js";
import { complain, settle } from "./notice.js";
import { refreshPerson } from "./person.js";
import { openSimilar } from "./similar.js";
import { plain, shown } from "./titles.js";
import { figure, listedParts, maybe, onLanguage, percent, signed, t } from "./words.js";

const list = $("list");
const told = new Set();
const rows = new Map(); // of what is on the page, by id, so that a row that stays is the same element
let answer = null;
let flying = null;
let asked = "";
let waiting = false;
let counted = 0;
let stored = null; // for whom the last event was stored

/** Called with the ids of every new list, the whole answer, and what was asked. */
export const onProgramme = (act) => told.add(act);

export function startProgramme() {
  list.replaceChildren(...Array.from({ length: choice.k }, () => h("li", { class: "wait", "aria-hidden": "true" },
    h("i", {}), h("i", {}), h("i", {}))));
  onChoice(soon);
  onChoice(() => { if (choice.user !== stored) $("stored").hidden = true; });
  onLanguage(() => { if (answer) draw(true); });
  addEventListener("online", ask);
  addEventListener("offline", () => complain({ kind: "offline" }, ask));
  return ask();
}

function question() {
  const body = { history: choice.films, k: choice.k, explain: true };
  if (choice.again !== usual) body.exclude_seen = !choice.again; // else as the model was judged
  if (choice.user) body.user = choice.user;
  if (choice.less.length) body.less = choice.less;
  const left = [...choice.seen, ...(choice.again && !usual ? [] : choice.less)];
  if (left.length) body.exclude = left;
  if (Object.keys(choice.where).length) body.where = choice.where;
  return body;
}

const asks = () => JSON.stringify(question()) !== asked;
const later = debounce(40, () => {
  if (asks()) ask();
  else if (!waiting) list.setAttribute("aria-busy", "false"); // taken back before it was asked
});
function soon() {
  if (asks()) list.setAttribute("aria-busy", "true");
  later();
}

async function ask() {
  const body = question();
  asked = JSON.stringify(body);
  flying?.abort();
  flying = new AbortController();
  list.setAttribute("aria-busy", "true");
  waiting = true;
  try {
    const got = await post("/v1/recommend", body, { signal: flying.signal });
    learn(got.items);
    answer = { ...got, films: body.history.length, user: body.user ?? null };
    settle();
    draw();
    waiting = false;
    list.setAttribute("aria-busy", "false");
    const ids = got.items.map((item) => item.id);
    for (const act of told) act(ids, answer, body);
    kinds(ids);
    say(ids.length ? t("said.list", { n: ids.length, first: plain(got.items[0]) }) : t("said.none"), "list");
  } catch (failure) {
    if (failure.name === "AbortError") return;
    waiting = false;
    list.setAttribute("aria-busy", "false");
    for (const row of list.querySelectorAll(".wait")) row.remove();
    complain(failure, ask);
  }
}

/** The line of genres has its room already. */
async function kinds(ids) {
  if (!(await fetchKinds(ids))) return;
  for (const id of ids) rows.get(id)?.querySelector(".kinds").replaceChildren(...kindsOf(id));
}

function kindsOf(id) {
  const { also } = shown(film(id));
  const names = (film(id).genres ?? []).map((g) => maybe("genre", g)).join(", ");
  return [also && h("i", {}, also), also && names && ". ", names].filter(Boolean);
}

function draw(again = false) {
  const { items, source, user } = answer;
  $("source").textContent = said(source, user);
  const focused = document.activeElement?.closest?.("#list > li");
  const place = focused ? [...list.children].indexOf(focused) : -1;
  const act = document.activeElement?.dataset?.act;
  const now = items.map((item, n) => {
    const row = again || !rows.has(item.id) ? make(item) : rows.get(item.id);
    rows.set(item.id, row);
    row.querySelector(".n").textContent = n + 1;
    row.querySelector(".because").replaceChildren(...because(item, user));
    return row;
  });
  for (const id of [...rows.keys()]) if (!items.some((item) => item.id === id)) rows.delete(id);
  if (now.length) reorder(list, now);
  else reorder(list, [h("li", { class: "none" }, ...nothing())]);
  if (place >= 0 && !document.contains(document.activeElement?.closest?.("#list > li") ?? null)) {
    const next = list.children[Math.min(place, list.children.length - 1)];
    (next?.querySelector(`[data-act="${act}"]`) ?? $("programme")).focus({ preventScroll: true });
  }
  foot();
}

/** Filters that nothing fits, or a person who has had everything. */
function nothing() {
  const filtered = Object.keys(choice.where).length > 0;
  return [h("p", {}, t(filtered ? "none" : "all had")), h("p", { class: "small" }, t(filtered ? "none.cure" : "all had.cure"))];
}

function said(source, user) {
  if (user && (source === "user" || source === "history")) return t(answer.films ? "source.user.history" : "source.user", { user });
  if (user && source === "popularity") return t("source.popularity.user");
  return ["popularity", "history", "features", "similar", "user"].includes(source) ? t(`source.${source}`, { user: user ?? "" }) : t("source.other", { source });
}

function make(item) {
  const { name, year } = shown(film(item.id));
  return h("li", { class: pictures ? "pictured" : null },
    h("span", { class: "n", "aria-hidden": "true" }),
    picture(film(item.id)),
    h("div", { class: "what" },
      h("h3", {}, linked(film(item.id), name), year && h("small", {}, ` ${year}`)),
      h("p", { class: "kinds", hidden: film(item.id).genres?.length === 0 && !kindsOf(item.id).length }, kindsOf(item.id)),
      h("div", { class: "because" })),
    h("div", { class: "acts" },
      button("similar", t("similar.short"), t("similar.to", { title: name }), () => openSimilar(item.id)),
      button("less", t("less.short"), t("less.label", { title: name }), () => leave("less", item.id)),
      button("seen", t("seen.short"), t("seen.label", { title: name }), () => leave("seen", item.id)),
      h("button", { type: "button", class: "plus", "data-act": "add", "aria-label": t("add", { title: name }), title: t("add.short"), onclick: () => add(item.id) }, icon(PLUS))));
}

const button = (act, text, label, onclick) => h("button", { type: "button", "data-act": act, "aria-label": label, onclick }, text);

/**
 * Why: the films with the largest shares of the score, in words and as one fine bar. What the bar leaves empty is
 * the rest: smaller shares, and what the film has by itself, as popularity. Of a score that is no sum these are
 * effects, in points, and called so; they do not add up, so there is no bar.
 */
function because(item, user) {
  const all = (item.because ?? []).map((reason) => ({ ...reason, id: String(reason.id) }));
  const whole = Math.max(item.retrieval_score ?? item.score, all.reduce((sum, reason) => sum + Math.max(reason.share, 0), 0), 1e-9);
  const reasons = all.map((reason) => ({ ...reason, part: reason.share / whole })).filter((reason) => reason.part >= 0.005).slice(0, 3);
  const away = reasons.filter((reason) => choice.less.includes(reason.id));
  const near = reasons.filter((reason) => !away.includes(reason));
  const theirs = user && !near.every((reason) => choice.films.includes(reason.id));
  const effects = reasons.some((reason) => reason.kind === "effect");
  const digits = Math.max(...reasons.map((reason) => reason.share)) < 0.1 ? 4 : 2;
  const amount = ({ share, part }) => (effects ? signed(share, digits) : percent(part));
  const said = [];
  if (near.length) said.push(...named(theirs ? "because.they" : "because", near, amount));
  if (away.length) said.push(near.length && "; ", ...named("because.less", away, amount));
  if (!said.length) return [];
  if (effects) return [h("p", {}, said, " ", h("small", { title: t("effect.what") }, t("effect", { n: reasons.length })))];
  return [h("p", {}, said), h("div", { class: "shares", role: "presentation" }, [...near, ...away].map((reason) => h("i", { "--share": reason.part })))];
}

function named(key, reasons, amount) {
  const [before, after] = t(key, { films: "\u0000" }).split("\u0000");
  let at = 0;
  const films = listedParts(reasons.map((reason) => plain(reason))).map(({ type, value }) => (type === "element"
    ? h("span", { class: "film" }, `${value} `, h("b", {}, amount(reasons[at++]))) : value));
  return [before, ...films, after];
}

function foot() {
  const parts = [];
  if (answer.items.length >= choice.k && canGrow()) parts.push(h("button", { type: "button", class: "quiet", onclick: grow }, t("more")));
  if (Number.isFinite(answer.took_ms)) {
    parts.push(h("span", {}, t("took", { took: figure(answer.took_ms, answer.took_ms < 10 ? 1 : 0), model: answer.model ?? answer.model_version ?? "" })));
  }
  $("foot").replaceChildren(...parts);
}

/** The focus goes to the first of the new ones. */
function grow() {
  const from = list.children.length;
  const once = () => { told.delete(once); list.children[from]?.querySelector("button")?.focus({ preventScroll: true }); };
  told.add(once);
  more();
}

function leave(to, id) {
  put(to, id);
  say(t(to === "less" ? "less.label" : "seen.label", { title: plain(film(id)) }));
}

/** Name a film as liked; for a known person it is stored too, with the list that it was chosen from. */
export async function add(id) {
  const request = answer?.items.some((item) => item.id === id) ? answer.request_id : null;
  put("films", id);
  say(t("added", { title: plain(film(id)) }));
  if (!choice.user) return;
  const user = choice.user;
  const event = { id: unique(), user, item: id, kind: "watch", request_id: request };
  const turn = ++counted;
  const store = async () => {
    try {
      const got = await post("/v1/events", { events: [event] });
      settle();
      if (turn !== counted) return;
      $("stored").textContent = t(got.accepted ? "stored.one" : "stored.known", { user, title: plain(film(id)) });
      $("stored").hidden = false;
      stored = user;
      refreshPerson();
    } catch (failure) { complain(failure, store); } // the same id again: a retry stores it once
  };
  await store();
}

function unique() {
  if (crypto.randomUUID) return crypto.randomUUID();
  return [...crypto.getRandomValues(new Uint8Array(16))].map((b) => b.toString(16).padStart(2, "0")).join("");
}
