// A map of the catalogue to wander in, with pointer, fingers or keyboard.
import { get } from "./api.js";
import { choice } from "./choice.js";
import { $, debounce, h, say, still } from "./dom.js";
import { film, learn } from "./films.js";
import { Picture } from "./map-draw.js";
import { hold } from "./map-hold.js";
import { labels } from "./map-labels.js";
import { OTHER, points as arrange, within } from "./map-points.js";
import { DEEPEST, View } from "./map-view.js";
import { openSimilar } from "./similar.js";
import { plain, shown } from "./titles.js";
import { maybe, onLanguage, t } from "./words.js";

const SKETCH = 2500; // milliseconds between questions for the finished map
const REACH = 14; // pixels around a point that count as on it

export async function startMap(add) {
  const canvas = $("canvas");
  let answer;
  try {
    answer = await get("/v1/map");
    await document.fonts.ready;
  } catch {
    $("map-hint").textContent = t("map.failed");
    return null;
  }
  let points = arrange(learn(answer.items));
  const view = new View();
  const picture = new Picture(canvas);
  let mine = [], list = [], only = null, at = null, drawn = [], moving = false, waits = false;

  const radius = (i) => picture.radius(view, points, i);
  const text = (i) => plain(points.items[i]);

  function relabel() {
    const order = new Map(list.map((i, n) => [i, n]));
    const numbered = (i) => (order.has(i) ? `${order.get(i) + 1}  ${text(i)}` : text(i));
    drawn = labels(view, points, [...mine, ...list], {
      kept: [[view.width - 52, 0, view.width, 156]], // the buttons
      text: numbered, width: (words) => picture.width(words), radius, shown: (i) => only === null || points.hue[i] === only,
    });
  }
  function paint() {
    waits = false;
    picture.draw({ view, points, mine, list, only, at, labels: drawn, moving });
  }
  const ask = () => { if (!waits) { waits = true; requestAnimationFrame(paint); } };
  const rest = () => { moving = false; relabel(); ask(); };
  const soonRest = debounce(140, rest);
  function moved() {
    moving = true;
    canvas.classList.toggle("deep", view.scale > 1.05);
    tipAt(null);
    ask();
    soonRest();
  }

  const size = () => {
    const box = canvas.getBoundingClientRect();
    view.resize(box.width, box.height);
    picture.resize(box.width, box.height);
    rest();
  };
  new ResizeObserver(size).observe(canvas);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { picture.read(); ask(); });

  function nearest(sx, sy) {
    const reach = REACH + 8;
    let found = null, least = Infinity;
    within(points, view.worldX(sx - reach), view.worldY(sy - reach), view.worldX(sx + reach), view.worldY(sy + reach), (i) => {
      if (only !== null && points.hue[i] !== only) return;
      const away = Math.hypot(view.x(points.x[i]) - sx, view.y(points.y[i]) - sy) - radius(i);
      if (away < least && away < REACH - 4) { least = away; found = i; }
    });
    return found;
  }

  function tipAt(i) {
    const tip = $("tip");
    tip.hidden = i === null;
    if (i === null) return;
    const { name, year } = shown(points.items[i]);
    tip.replaceChildren(name, year ? h("small", {}, ` ${year}`) : "");
    const x = view.x(points.x[i]), y = view.y(points.y[i]);
    const half = tip.offsetWidth / 2 + 4;
    tip.style.setProperty("--x", `${Math.min(Math.max(x, half), view.width - half)}px`);
    tip.style.setProperty("--y", `${y + (y < 60 ? radius(i) + 40 : -radius(i) - 8)}px`);
  }

  function point(i) {
    if (at !== i) { at = i; ask(); }
    canvas.dataset.at = i === null ? "" : points.items[i].id;
  }

  function open(i, { focus = false } = {}) {
    const ticket = $("ticket");
    if (i === null) { ticket.hidden = true; return; }
    const item = points.items[i];
    const { name, also, year } = shown(item);
    const kinds = film(item.id).genres ?? (item.genre ? [item.genre] : []);
    const have = choice.films.includes(item.id);
    ticket.dataset.id = item.id;
    ticket.replaceChildren(
      h("h3", {}, name, year && h("small", {}, ` ${year}`)),
      h("p", { class: "kinds" }, [also, kinds.map((g) => maybe("genre", g)).join(", "), t("map.people", { n: item.popularity })].filter(Boolean).join(" · ")),
      h("div", { class: "acts" },
        h("button", { type: "button", disabled: have, onclick: () => { add(item.id); canvas.focus({ preventScroll: true }); } }, have ? t("added.mine") : t("add.mine")),
        h("button", { type: "button", onclick: () => openSimilar(item.id) }, t("similar.short"))));
    ticket.hidden = false;
    if (focus) ticket.querySelector("button:not(:disabled)").focus();
  }

  // Pointer and fingers.
  hold(canvas, view, {
    moved,
    hover: (sx, sy) => { const i = sx === null ? null : nearest(sx, sy); point(i); tipAt(i); canvas.classList.toggle("on", i !== null); },
    press: (sx, sy) => { const i = nearest(sx, sy); point(i); tipAt(null); open(i); if (i !== null) tell(i); },
  });

  // Keyboard: from title to title.
  function tell(i) {
    const genre = points.hue[i] === OTHER ? t("map.other") : maybe("genre", points.items[i].genre);
    say(t("map.at", { title: [plain(points.items[i]), shown(points.items[i]).year].filter(Boolean).join(", "), genre }));
  }
  function walk(dx, dy) {
    const stops = drawn.map((label) => label.i);
    if (!stops.length) return;
    if (at === null) { land(stops[0]); return; }
    const x = view.x(points.x[at]), y = view.y(points.y[at]);
    let best = null, least = Infinity;
    for (const i of stops) {
      const along = (view.x(points.x[i]) - x) * dx + (view.y(points.y[i]) - y) * dy;
      const aside = Math.abs((view.x(points.x[i]) - x) * dy) + Math.abs((view.y(points.y[i]) - y) * dx);
      if (i === at || along < 2 || aside > along * 2.2) continue;
      if (along + 2 * aside < least) { least = along + 2 * aside; best = i; }
    }
    if (best !== null) land(best);
    else if (view.scale > 1) { view.pan(-dx * view.width * 0.3, -dy * view.height * 0.3); rest(); }
  }
  function land(i) {
    point(i);
    tipAt(i);
    tell(i);
    if (!$("ticket").hidden) open(i);
  }
  const zoomBy = (factor) => {
    const about = at === null ? [] : [view.x(points.x[at]), view.y(points.y[at])];
    glide(factor, about);
  };
  function glide(factor, about) {
    const target = Math.min(DEEPEST, Math.max(1, view.scale * factor));
    if (still()) { view.zoom(target / view.scale, ...about); moved(); return; }
    const from = view.scale, start = performance.now();
    const step = (now) => {
      const p = Math.min((now - start) / 220, 1);
      view.zoom((from * (target / from) ** (1 - (1 - p) ** 3)) / view.scale, ...about);
      moved();
      if (p < 1) requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
  }
  const all = () => { if (view.scale > 1) { view.all(); moved(); } };
  canvas.addEventListener("keydown", (event) => {
    const act = {
      ArrowLeft: () => walk(-1, 0), ArrowRight: () => walk(1, 0), ArrowUp: () => walk(0, -1), ArrowDown: () => walk(0, 1),
      "+": () => zoomBy(1.7), "=": () => zoomBy(1.7), "-": () => zoomBy(1 / 1.7), 0: all,
      Enter: () => { if (at !== null) open(at, { focus: true }); }, " ": () => { if (at !== null) open(at, { focus: true }); },
      Escape: () => { open(null); point(null); tipAt(null); },
    }[event.key];
    if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    act();
  });
  $("ticket").addEventListener("keydown", (event) => {
    if (event.key === "Escape") { open(null); canvas.focus({ preventScroll: true }); }
  });
  canvas.addEventListener("blur", () => tipAt(null));
  $("zoom-in").addEventListener("click", () => glide(1.7, []));
  $("zoom-out").addEventListener("click", () => glide(1 / 1.7, []));
  $("zoom-all").addEventListener("click", all);

  // The legend: one genre alone.
  onLanguage(() => {
    canvas.setAttribute("aria-label", t("map.alt", { n: points.n }));
    const has = points.hue.includes(OTHER);
    const names = [...points.genres.map((g) => maybe("genre", g)), ...(has && points.genres.length ? [t("map.other")] : [])];
    $("legend").replaceChildren(...names.map((name, place) => {
      const hue = place < points.genres.length ? place : OTHER;
      return h("button", { type: "button", class: `g${hue === OTHER ? "x" : hue}`, "aria-pressed": String(only === hue), onclick: (event) => {
        only = only === hue ? null : hue;
        for (const other of $("legend").children) other.setAttribute("aria-pressed", String(other === event.currentTarget && only !== null));
        rest();
      } }, h("i", {}), name);
    }));
    if (!$("ticket").hidden && at !== null) open(at);
  });

  // The service sketches the map at once (PCA) and draws it in earnest meanwhile (t-SNE): ask again, and glide there.
  async function redraw(left) {
    if (answer.method !== "PCA" || !left) return;
    await new Promise((done) => { setTimeout(done, SKETCH); });
    try {
      const next = await get("/v1/map");
      if (next.method === answer.method) { redraw(left - 1); return; }
      answer = next;
      canvas.dataset.method = next.method;
      glideTo(arrange(learn(next.items)));
    } catch { /* the sketch stays */ }
  }
  function glideTo(next) {
    const from = points;
    if (still() || next.n !== from.n || next.items.some((item, i) => item.id !== from.items[i].id)) { points = next; remark(); return; }
    points = { ...next, x: from.x.slice(), y: from.y.slice() };
    const start = performance.now();
    const step = (now) => {
      const p = Math.min((now - start) / 900, 1), e = 1 - (1 - p) ** 3;
      for (let i = 0; i < next.n; i++) {
        points.x[i] = from.x[i] + (next.x[i] - from.x[i]) * e;
        points.y[i] = from.y[i] + (next.y[i] - from.y[i]) * e;
      }
      if (p < 1) { moved(); requestAnimationFrame(step); } else { points = next; remark(); }
    };
    requestAnimationFrame(step);
  }

  let marked = [[], []];
  function remark() {
    const places = (ids) => ids.map((id) => points.at.get(id)).filter((i) => i !== undefined);
    mine = places(marked[0]);
    list = places(marked[1]).filter((i) => !mine.includes(i));
    rest();
  }

  size();
  redraw(40);
  return {
    mark(films, ids) {
      marked = [films, ids];
      remark();
      canvas.dataset.mine = String(mine.length);
      const i = points.at.get($("ticket").dataset.id);
      if (!$("ticket").hidden && i !== undefined && !$("ticket").contains(document.activeElement)) open(i);
    },
  };
}
