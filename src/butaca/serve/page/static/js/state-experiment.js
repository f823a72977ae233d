// The experiment: every arm's rate with its interval, and the difference to the first.
import { $, h } from "./dom.js";
import { forest } from "./plot.js";
import { count, percent, signed, t } from "./words.js";

export function drawExperiment(experiment) {
  const arms = experiment?.arms ?? [];
  if (!arms.length) {
    $("experiment").replaceChildren(h("p", { class: "hole" }, t("experiment.none")));
    return;
  }
  const between = (arm) => t("interval", { low: percent(arm.low, 1), high: percent(arm.high, 1) });
  const plot = forest(arms.map((arm) => ({ name: arm.name, value: arm.rate ?? NaN, low: arm.low, high: arm.high, word: "arm", said: percent(arm.rate ?? NaN, 1) })), {
    zero: false, format: (v, digits) => percent(v, Math.max(0, digits - 2)),
    label: arms.map((arm) => `${arm.name}: ${percent(arm.rate ?? NaN, 1)} (${between(arm)})`).join("; "),
  });
  const table = h("table", {},
    h("thead", {}, h("tr", {}, ["arm", "arm.model", "arm.share", "arm.shown", "arm.events", "arm.rate"].map((key) => h("th", { scope: "col" }, t(key))))),
    h("tbody", {}, arms.map((arm) => h("tr", {}, h("th", { scope: "row" }, arm.name), h("td", {}, arm.model), h("td", {}, percent(arm.share)),
      h("td", {}, count(arm.recommendations)), h("td", {}, count(arm.with_event ?? arm.events)), h("td", {}, percent(arm.rate ?? NaN, 1))))));
  const told = (experiment.differences ?? []).filter((d) => Number.isFinite(d.difference)).map((d) => h("p", { class: "after" },
    t("difference.is", { name: d.arm, base: d.base, difference: points(d.difference), low: points(d.low), high: points(d.high) }), " ",
    t(d.low > 0 || d.high < 0 ? "difference.closed" : "difference.open")));
  $("experiment").replaceChildren(h("div", { class: "plots one" }, h("figure", {}, plot)),
    h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": t("experiment") }, table), ...told);
}

const points = (v) => signed(v * 100, 1);
