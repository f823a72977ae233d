// A list that changes its order lets every row glide from where it was.
import { still } from "./dom.js";

const GLIDE = { duration: 380, easing: "cubic-bezier(.2, .7, .2, 1)" };

/** Put `rows` into `list`; rows that stay are moved, not made again, so that the focus stays too. */
export function reorder(list, rows) {
  const moves = !still() && !document.hidden;
  const before = new Map();
  if (moves) for (const row of list.children) before.set(row, row.getBoundingClientRect().top);
  const keep = new Set(rows);
  for (const row of [...list.children]) if (!keep.has(row)) row.remove();
  rows.forEach((row, place) => {
    if (list.children[place] !== row) list.insertBefore(row, list.children[place] ?? null);
  });
  if (!moves) return;
  for (const row of rows) {
    const top = row.getBoundingClientRect().top;
    const from = before.get(row);
    if (from === undefined) {
      row.animate([{ opacity: 0 }, { opacity: 1 }], { duration: 320, easing: "ease-out" });
    } else if (Math.abs(from - top) > 1) {
      row.animate([{ transform: `translateY(${from - top}px)` }, { transform: "none" }], GLIDE);
    }
  }
}
