// Elements without markup in strings: nothing of the service's is ever read as HTML.

export const $ = (id) => document.getElementById(id);

/** An element: h("li", {class: "film", onclick}, "text", child). Attributes that are null or false are left out. */
export function h(tag, given, ...children) {
  return fill(document.createElement(tag), given, children);
}

/** The same within an SVG. */
export function s(tag, given, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), given, children);
}

function fill(node, given, children) {
  for (const [name, value] of Object.entries(given ?? {})) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name.startsWith("--")) node.style.setProperty(name, value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

/** An icon of one path, drawn in the colour of its text. */
export const icon = (d) => s("svg", { viewBox: "0 0 20 20", "aria-hidden": "true" }, s("path", { d }));
export const PLUS = "M4 10h12M10 4v12";
export const CROSS = "M5 5l10 10M15 5L5 15";

/**
 * Tell a screen reader, after a pause in which things come to rest: what was done, then what came of it. A later
 * text about the same matter takes the place of an earlier one.
 */
const pending = new Map();
let telling;
export function say(text, about = "done") {
  if (about === "done") pending.clear();
  pending.set(about, /[.?!]$/.test(text) ? text : `${text}.`);
  clearTimeout(telling);
  telling = setTimeout(() => {
    $("said").textContent = [...pending.values()].join(" ");
    pending.clear();
  }, 300);
}

export function debounce(ms, act) {
  let timer;
  return (...given) => { clearTimeout(timer); timer = setTimeout(act, ms, ...given); };
}

export const still = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
