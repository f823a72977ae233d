// Seeing as someone the service knows: their history, and their name on what is chosen.
import { get } from "./api.js";
import { choice, choose, onChoice } from "./choice.js";
import { $, h } from "./dom.js";
import { learn } from "./films.js";
import { plain } from "./titles.js";
import { onLanguage, t } from "./words.js";

const SHOWN = 8;
let asked = null;
let known = null;

export function startPerson() {
  $("person-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const user = $("person-id").value.trim();
    if (user) choose({ user });
  });
  onChoice(() => { if (choice.user !== asked) show(); });
  onLanguage(draw);
  if (choice.user) $("person").open = true;
  show();
}

/** After an event was stored, the history is longer. */
export function refreshPerson() {
  if (choice.user) show();
}

async function show() {
  const user = choice.user;
  asked = user;
  if (!user) { known = null; draw(); return; }
  try {
    const answer = await get(`/v1/users/${encodeURIComponent(user)}/history`);
    known = { user, films: learn(answer.items) };
  } catch (failure) {
    if (failure.status !== 404) known = null;
    else known = { user, films: [] };
  }
  if (choice.user === user) draw();
}

function draw() {
  const user = choice.user;
  $("person-told").textContent = user ? t("person.as", { user }) : t("person.none");
  if (document.activeElement !== $("person-id")) $("person-id").value = user ?? "";
  const out = [];
  if (user && known?.user === user) {
    const films = known.films;
    out.push(h("p", {}, films.length ? t("person.has", { n: films.length }) : t("person.new", { user })));
    if (films.length) {
      const last = films.slice(0, SHOWN);
      out.push(h("p", { class: "history" }, last.map(plain).join(", "), films.length > SHOWN && ` ${t("person.more", { n: films.length - SHOWN })}`, "."));
    }
  }
  if (user) out.push(h("button", { type: "button", class: "quiet", onclick: () => { choose({ user: null }); $("person-id").focus(); } }, t("person.stop")));
  $("person-shown").replaceChildren(...out);
}
