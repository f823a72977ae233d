// The verdict: a sentence, four panels of differences, the figures behind them, and what to mind.
import { $, h } from "./dom.js";
import { comparisons } from "./plot.js";
import { figure, listed, maybe, t } from "./words.js";

// From the easiest to the hardest to beat; others after them.
const ORDER = ["popularity", "recent popularity", "item-kNN", "iALS", "EASE", "Markov chain"];
const rank = (name) => (ORDER.includes(name) ? ORDER.indexOf(name) : ORDER.length);
const inOrder = (against) => Object.keys(against).sort((a, b) => rank(a) - rank(b));
const baseline = (name) => maybe("baseline", name);

export function drawVerdict(metrics) {
  const against = metrics?.verdict?.against ?? {};
  const names = inOrder(against);
  const said = sentence(against, metrics);
  $("sentence").textContent = said;
  $("sentence").classList.toggle("long", said.length > 100);
  $("verdict-on").textContent = names.length ? t("verdict.on", { n: metrics.test_pairs }) : "";
  $("plots").replaceChildren(...(names.length ? panels(against, names) : [h("p", { class: "hole" }, t("verdict.none"))]));
  $("figures").replaceChildren(...(names.length ? [figures(metrics, against, names)] : []));
  $("mind").replaceChildren(...mind(metrics?.warnings ?? []));
}

function sentence(against, metrics) {
  const at = (name, word) => against[name].comparisons.filter((c) => c.word === word).map((c) => c.label);
  const limited = (name) => {
    const limit = metrics.baselines_limited?.[name];
    return limit ? [t(`sentence.limit.${limit.what}`, { some: figure(limit.n, 0), all: figure(limit.of, 0) })] : [];
  };
  const tied = (name) => {
    const apart = ["beats", "loses"].includes(against[name].word) && at(name, "ties").length;
    const remarks = [...limited(name), ...(apart ? [t("sentence.tied", { tied: listed(at(name, "ties")) })] : [])];
    return remarks.length ? `${baseline(name)} (${remarks.join("; ")})` : baseline(name);
  };
  const of = (word) => inOrder(against).filter((name) => against[name].word === word);
  const parts = ["beats", "ties", "loses"].filter((word) => of(word).length)
    .map((word) => t(`sentence.${word}`, { names: listed(of(word).map(tied)) }));
  for (const name of of("mixed")) {
    parts.push(t("sentence.mixed", { name: tied(name), won: listed(at(name, "beats")), lost: listed(at(name, "loses")) }));
  }
  if (!parts.length && Object.keys(against).length) return t("sentence.open", { n: 10 });
  if (!parts.length) return t("sentence.nothing");
  const model = t(metrics.verdict.stages === 2 ? "sentence.two stages" : "sentence.one stage");
  const said = t(metrics.verdict.comes_next ? "sentence.next" : "sentence", { model, parts: parts.join(", ") });
  const missing = Object.keys(metrics.baselines_left_out ?? {});
  return missing.length ? `${said} ${t("sentence.left out", { names: listed(missing.map(baseline)) })}` : said;
}

const labels = (against, names) => against[names[0]].comparisons.map((c) => c.label);

function panels(against, names) {
  return labels(against, names).map((label) => h("figure", {}, h("figcaption", {}, label),
    comparisons(label, names.map((name) => ({ name: baseline(name), c: against[name].comparisons.find((c) => c.label === label) })))));
}

function figures(metrics, against, names) {
  const columns = labels(against, names);
  const ours = Object.fromEntries(against[names[0]].comparisons.map((c) => [c.label, c.ours]));
  const best = Object.fromEntries(columns.map((label) => [label, Math.max(ours[label], ...names.map((name) => metrics.baselines?.[name]?.[label] ?? -1))]));
  const cell = (value, label) => h("td", { class: value === best[label] ? "top" : null }, figure(value));
  const row = (name, values, own) => h("tr", { class: own ? "own" : null }, h("th", { scope: "row" }, name), columns.map((label) => cell(values[label], label)));
  return h("details", {}, h("summary", {}, t("figures")), h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": t("figures") }, h("table", {},
    h("thead", {}, h("tr", {}, h("td", {}), columns.map((label) => h("th", { scope: "col" }, label)))),
    h("tbody", {}, row(t("the model"), ours, true), names.map((name) => row(baseline(name), metrics.baselines?.[name] ?? {}))))));
}

const asSentence = (line) => line[0].toUpperCase() + line.slice(1) + (/[.!?]$/.test(line) ? "" : ".");

function mind(warnings) {
  if (!warnings.length) return [];
  return [h("aside", { class: "mind", "aria-labelledby": "mind-title" }, h("h3", { id: "mind-title" }, t("mind")),
    h("ul", { lang: "en" }, warnings.map((w) => h("li", {}, [w.rule, w.received, w.cure].filter(Boolean).map(asSentence).join(" ")))))];
}
