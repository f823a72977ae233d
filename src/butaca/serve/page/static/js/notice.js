// What went wrong, in the reader's words, with what helps; the service's own, which are English, stand below.
import { $, h } from "./dom.js";
import { onLanguage, t } from "./words.js";

let timer = 0;
let tries = 0;
let told = null; // the failure that is shown, and how to try again

onLanguage(() => { if (told) write(...told); });

export function settle() {
  clearTimeout(timer);
  tries = 0;
  told = null;
  $("notice").hidden = true;
  $("notice").replaceChildren();
}

/** Say a failure; again() is offered, and done by itself where waiting helps. */
export function complain(failure, again) {
  clearTimeout(timer);
  const { kind, wait } = failure;
  const waits = (kind === "busy" || kind === "slow") && tries < 3;
  told = [failure, again];
  write(failure, again);
  if (!kind) console.error(failure);
  if (waits) {
    tries += 1;
    timer = setTimeout(again, wait * 1000);
  } else if (kind === "gone" || kind === "offline") {
    timer = setTimeout(again, 5000);
  }
}

function write(failure, again) {
  const { kind, status, problem = {}, wait } = failure;
  const own = problem.detail ?? problem.rule;
  $("notice").replaceChildren(
    h("p", {}, kind ? t(sentence(kind, status), { n: wait, status: String(status) }) : String(failure.message)),
    ...(own ? [h("p", { class: "small" }, t("error.own"), " ", h("span", { lang: "en" }, own))] : []),
    h("button", { type: "button", onclick: () => { tries = 0; again(); } }, t("again")));
  $("notice").hidden = false;
}

const TOLD = [404, 413, 422]; // apart from the other refusals
const sentence = (kind, status) => `error.${kind === "rule" && TOLD.includes(status) ? status : kind}`;
