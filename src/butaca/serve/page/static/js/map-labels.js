// Titles beside their points: what is marked first, then the popular, and none over another.

const LINE = 17;
const MOST = 46;
const LOOKED_AT = 1500;

/**
 * Labels for a view: [{i, text, x, y, end}], x and y relative to the point, so that they move along with it.
 *
 * first: points that must be labelled if there is room, in order; width(text): of a text in pixels;
 * text(i): of a point; radius(i); shown(i): whether a point is drawn at all.
 */
export function labels(view, points, first, { width, text, radius, shown }) {
  const taken = [];
  const out = [];
  const most = Math.round(Math.min(MOST, (view.width * view.height) / 11000));
  const place = (i, must) => {
    const px = view.x(points.x[i]);
    const py = view.y(points.y[i]);
    if (px < 4 || py < LINE || px > view.width - 4 || py > view.height - LINE) return;
    const words = text(i);
    const wide = width(words);
    const gap = radius(i) + (must ? 8 : 5);
    for (const end of [false, true]) {
      const x0 = end ? px - gap - wide : px + gap;
      const box = [x0 - 5, py - LINE / 2, x0 + wide + 5, py + LINE / 2];
      if (box[0] < 0 || box[2] > view.width) continue;
      if (taken.some((t) => box[0] < t[2] && t[0] < box[2] && box[1] < t[3] && t[1] < box[3])) continue;
      taken.push(box);
      out.push({ i, text: words, x: end ? -gap : gap, end, must });
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
