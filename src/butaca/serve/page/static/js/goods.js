// An item's picture and its link, where the table has them and the service allows the picture's host.
import { h } from "./dom.js";
import { t } from "./words.js";

const hosts = JSON.parse(document.querySelector('meta[name="butaca-pictures"]').content);

const allowed = (host) => hosts.some((known) => (known.startsWith("*.") ? host.endsWith(known.slice(1)) : host === known));

function address(text, schemes) {
  try {
    const url = new URL(text);
    return schemes.includes(url.protocol) ? url : null;
  } catch { return null; }
}

/** Whether any picture may be shown: only then rows have room for one. */
export const pictures = hosts.length > 0;

export const sources = hosts;

/** The picture, or null; one that does not load leaves its room empty. The title beside it says what it shows. */
export function picture(item) {
  const url = item.picture && address(item.picture, ["https:"]);
  if (!url || !allowed(url.host)) return pictures ? h("span", { class: "picture", "aria-hidden": "true" }) : null;
  const image = h("img", { src: url.href, alt: "", loading: "lazy", decoding: "async", referrerpolicy: "no-referrer", width: 64, height: 64 });
  image.addEventListener("error", () => image.remove());
  return h("span", { class: "picture", "aria-hidden": "true" }, image);
}

/** A name that leads to the item's own page, where it has one. */
export function linked(item, ...name) {
  const url = item.link && address(item.link, ["https:", "http:"]);
  return url ? [h("a", { class: "own", href: url.href, rel: "noopener noreferrer external", target: "_blank", title: t("link", { host: url.host }) }, ...name)] : name;
}
