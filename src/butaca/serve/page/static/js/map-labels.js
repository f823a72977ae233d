// Titles beside their points: what is marked first, then the popular, and none over another.

const LINE = 17;
const MOST = 46;
const LOOKED_AT = 1500;

/**
 * Labels for a view: [{i, text, x, y, must}], x and y of the label's left middle relative to its point, so that it
 * moves along with it.
 *
 * first: points that must be labelled if there is room, in order; width(text): of a text in pixels; text(i): of a
 * point; radius(i); shown(i): whether a point is drawn at all; kept: boxes that are covered by something else.
 */
export function labels(view, points, first, { width, text, radius, shown, kept = [] }) {
  const taken = [...kept];
  const out = [];
  const most = Math.round(Math.min(MOST, (view.width * view.height) / 11000));
  const place = (i, must) => {
    const px = view.x(points.x[i]);
    const py = view.y(points.y[i]);
    if (px < 4 || py < LINE || px > view.width - 4 || py > view.height - LINE) return;
    const words = text(i);
    const wide = width(words);
    const gap = radius(i) + (must ? 8 : 5);
    const down = gap + LINE / 2;
    const sides = [[gap, 0], [-gap - wide, 0], [-wide / 2, down], [-wide / 2, -down]]; // right, left, below, above
    for (const [x, y] of must ? sides : sides.slice(0, 2)) {
      const box = [px + x - 5, py + y - LINE / 2, px + x + wide + 5, py + y + LINE / 2];
      if (box[0] < 0 || box[2] > view.width || box[1] < 0 || box[3] > view.height) continue;
      if (taken.some((t) => box[0] < t[2] && t[0] < box[2] && box[1] < t[3] && t[1] < box[3])) continue;
      taken.push(box);
      out.push({ i, text: words, x, y, must });
      return;
    }
  };
  // The marked points themselves are kept free of other titles.
  for (const i of first) {
    const px = view.x(points.x[i]), py = view.y(points.y[i]);
    taken.push([px - 4, py - 4, px + 4, py + 4]);
  }
  for (const i of first) place(i, true);
  const seen = new Set(first);
  let looked = 0;
  for (let i = 0; i < points.n && out.length < most && looked < LOOKED_AT; i++) {
    if (seen.has(i) || !shown(i)) continue;
    const px = view.x(points.x[i]), py = view.y(points.y[i]);
    if (px < 0 || py < 0 || px > view.width || py > view.height) continue;
    looked++;
    place(i, false);
  }
  return out;
}
