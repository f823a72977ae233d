// What went wrong, in words, with what helps.
import { $, h } from "./dom.js";
import { t } from "./words.js";

let timer = 0;
let tries = 0;

export function settle() {
  clearTimeout(timer);
  tries = 0;
  $("notice").hidden = true;
  $("notice").replaceChildren();
}

/** Say a failure; again() is offered, and done by itself where waiting helps. */
export function complain(failure, again) {
  clearTimeout(timer);
  const box = $("notice");
  const { kind, status, problem = {}, wait } = failure;
  const waits = (kind === "busy" || kind === "slow") && tries < 3;
  const lines = [];
  if (kind === "rule" && problem.rule) {
    lines.push(h("p", {}, t("error.rule", { rule: trim(problem.rule), received: trim(problem.received) })));
    if (problem.cure) lines.push(h("p", {}, t("error.cure", { cure: trim(problem.cure) })));
  } else if (kind) {
    lines.push(h("p", {}, t(kind === "rule" ? "error.odd" : `error.${kind}`, { n: wait, status: String(status) })));
  } else {
    lines.push(h("p", {}, String(failure.message)));
    console.error(failure);
  }
  box.replaceChildren(...lines, h("button", { type: "button", onclick: () => { tries = 0; again(); } }, t("again")));
  box.hidden = false;
  if (waits) {
    tries += 1;
    timer = setTimeout(again, wait * 1000);
  } else if (kind === "gone" || kind === "offline") {
    timer = setTimeout(again, 5000);
  }
}

const trim = (text) => String(text ?? "").trim().replace(/[.;]$/, "");
