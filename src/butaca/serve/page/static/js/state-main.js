// The state of the service, asked again every few seconds; what did not change is not drawn again.
import { get, onLocked } from "./api.js";
import { $, h } from "./dom.js";
import { askKey } from "./key.js";
import { complain, settle } from "./notice.js";
import { drawExperiment } from "./state-experiment.js";
import { drawModel } from "./state-model.js";
import { drawVerdict } from "./state-verdict.js";
import { clock, count, figure, onLanguage, speak, t } from "./words.js";

const EVERY = 4;
let state = null;
let at = null;
let timer = 0;
const drawn = new Map();

speak("title.state");
onLocked(askKey);
$("sentence").textContent = t("sentence.loading");
onLanguage(() => { drawn.clear(); if (state) draw(); });
document.addEventListener("visibilitychange", () => { if (!document.hidden) ask(); });
ask();

async function ask() {
  clearTimeout(timer);
  try {
    state = await get("/v1/state");
    at = new Date();
    settle();
    draw();
    document.querySelector("main").setAttribute("aria-busy", "false");
  } catch (failure) {
    complain(failure, ask);
  }
  if (!document.hidden) timer = setTimeout(ask, EVERY * 1000);
}

/** Draw a part if what it shows is not what it showed. */
function part(name, content, act) {
  const key = JSON.stringify(content ?? null);
  if (drawn.get(name) === key) return;
  drawn.set(name, key);
  act(content);
}

function draw() {
  const { model, models, experiment, data } = state;
  part("verdict", model?.metrics, drawVerdict);
  part("model", { model, models, data }, drawModel);
  part("experiment", experiment, drawExperiment);
  now();
  $("fresh").textContent = t("fresh", { time: clock(at), n: EVERY });
}

/** Four figures; their elements stay, so that only the text changes. */
function now() {
  const { latency = {}, requests = {}, lists = {} } = state;
  const ms = (v) => figure(v, v < 10 ? 1 : 0);
  const cells = [
    [t("latency"), Number.isFinite(latency.p50_ms) ? t("ms", { n: ms(latency.p50_ms) }) : "–",
      [95, 99].filter((p) => Number.isFinite(latency[`p${p}_ms`])).map((p) => t("latency.p", { p: String(p), ms: ms(latency[`p${p}_ms`]) }))],
    [t("requests"), count(requests.total ?? 0), [
      requests.errors !== undefined && t("requests.errors", { n: requests.errors }), requests.shed > 0 && t("requests.shed", { n: requests.shed })]],
    [t("lists"), count(lists.logged ?? 0), []],
    [t("uptime"), age(state.uptime_seconds), []],
  ];
  const box = $("now");
  if (!box.children.length) box.replaceChildren(...cells.map(() => h("div", {}, h("dt", {}), h("dd", {}), h("dd", { class: "small" }))));
  cells.forEach((cell, i) => [...box.children[i].children].forEach((node, j) => {
    const text = Array.isArray(cell[j]) ? cell[j].filter(Boolean).join(", ") : cell[j];
    if (node.textContent !== text) node.textContent = text;
  }));
}

function age(seconds) {
  if (!Number.isFinite(seconds)) return "–";
  const [m, hours, d] = [Math.floor(seconds / 60), Math.floor(seconds / 3600), Math.floor(seconds / 86400)];
  if (d) return t("time.d", { d, h: hours % 24 });
  if (hours) return t("time.h", { h: hours, m: m % 60 });
  return m ? t("time.m", { n: m }) : t("time.s", { n: Math.floor(seconds) });
}
