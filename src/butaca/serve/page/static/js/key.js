// The question for a key, asked once however many requests wait for it.
import { $, h } from "./dom.js";
import { t } from "./words.js";

let asking = null;

export function askKey(wrong) {
  asking ??= question(wrong).finally(() => { asking = null; });
  return asking;
}

function question(wrong) {
  return new Promise((done) => {
    const dialog = $("key");
    const input = h("input", { id: "key-text", type: "password", autocomplete: "off", required: true });
    dialog.replaceChildren(h("form", { method: "dialog" },
      h("h2", { id: "key-title" }, t("key")),
      h("p", {}, t("key.what")),
      wrong && h("p", { class: "wrong", role: "alert" }, t(wrong)),
      h("label", { for: "key-text" }, t("key.label")),
      h("span", { class: "line" }, input, h("button", { type: "submit", value: "use" }, t("key.use")))));
    dialog.returnValue = "";
    dialog.addEventListener("close", () => done(dialog.returnValue === "use" ? input.value.trim() : null), { once: true });
    dialog.showModal();
  });
}
