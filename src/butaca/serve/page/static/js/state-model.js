// What answers now, what else could, and the particulars of the one that does.
import { $, h } from "./dom.js";
import { count, figure, maybe, moment, percent, signed, t } from "./words.js";

export function drawModel({ model, models = [], data }) {
  const versions = models.length ? models : [model].filter(Boolean);
  $("models").replaceChildren(h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": t("model") }, h("table", { class: "words-left" },
    h("thead", {}, h("tr", {}, ["model.name", "model.version", "model.recipe", "model.loaded"].map((key) => h("th", { scope: "col" }, t(key))), h("td", {}))),
    h("tbody", {}, versions.map((v) => h("tr", { class: v.active ? "own" : null }, h("th", { scope: "row" }, v.name), h("td", {}, h("code", {}, v.version)),
      h("td", {}, v.recipe ?? "–"), h("td", {}, when(v.loaded_at)), h("td", {}, v.damaged ?? (v.active ? t("model.active") : ""))))))));
  $("facts").replaceChildren(...facts(model ?? {}, data ?? {}).map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
}

/** Seconds since 1970, or a date as text. */
function when(time) {
  if (time === null || time === undefined) return "–";
  const date = new Date(typeof time === "number" ? time * 1000 : time);
  return Number.isNaN(date.getTime()) ? "–" : moment(date);
}

function facts(model, loaded) {
  const data = { ...loaded, ...model.data };
  const out = [];
  const sizes = data.interactions && t("fact.sizes", { interactions: count(data.interactions), users: count(data.users), n: data.items });
  if (data.name || sizes) out.push([t("fact.data"), [data.name, sizes].filter(Boolean).join(": ")]);
  if (howOf(model.split)) out.push([t("fact.split"), split(model.split)]);
  const settings = model.settings ?? model.model;
  const { name, value, closed_form: closed } = model.chosen ?? {};
  if (name) out.push([t("fact.chosen"), t("fact.chosen.of", { name, value: figure(value), closed: figure(closed) })]);
  if (settings?.dim) out.push([t("fact.vectors"), t("fact.dim", { n: settings.dim })]);
  if (settings?.epochs) out.push([t("fact.training"), t("fact.epochs", { epochs: count(settings.epochs), batch: count(settings.batch_size), optimizer: settings.optimizer })]);
  const second = stages(model);
  if (second) out.push([t("fact.stages"), second]);
  if (model.softmax) out.push([t("fact.softmax"), maybe("softmax", model.softmax)]);
  if (model.versions) out.push([t("fact.versions"), Object.entries(model.versions).map(([name, v]) => `${name} ${v}`).join(", ")]);
  if (data.fingerprint) out.push([t("fact.fingerprint"), h("code", {}, data.fingerprint)]);
  return out;
}

/** What a second stage is, and gained on held-out pairs or was not judged; nothing without one. */
function stages({ metrics, second_stage: own }) {
  const told = metrics?.ranking;
  if (!told && !own) return null;
  if (told?.notice) return t("stage.left");
  const made = own ? ["candidates", "features", "rounds"].filter((name) => Number.isFinite(own[name]))
    .map((name) => t(`stage.${name}`, { n: own[name] })) : [];
  if (own?.target) made.push(t(`stage.${own.target}`));
  if (!told) return [t("stage.yes"), ...made, t("stage.unjudged")].join("; ");
  const gains = Object.entries(told.gains ?? {}).filter(([label]) => /@10$|^top-10$/.test(label))
    .map(([label, g]) => t("stage.gain", { label, gain: signed(g.gain), low: signed(g.low), high: signed(g.high) }));
  return [t("stage.yes"), ...gains, ...made].join("; ");
}

// Folders of earlier versions say how, and test, as workflows/about.py:split_record.
const howOf = (given) => given?.split ?? given?.how ?? given?.kind;

function split(given) {
  const [how, share] = [howOf(given), given.test_share ?? given.test];
  const test = typeof share === "number" ? (share < 1 ? percent(share) : count(share)) : "";
  return maybe("split", how) === how ? how : t(`split.${how}`, { test, seed: String(given.seed ?? "") });
}
