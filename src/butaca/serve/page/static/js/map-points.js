// The films of the map as flat arrays, and a grid that finds what lies near a place.

const COLOURS = 8;

/**
 * The most popular first. x, y within 0..1; r relative size; hue: place among `genres`, COLOURS for the rest.
 */
export function points(items) {
  const sorted = [...items].sort((a, b) => b.popularity - a.popularity);
  const n = sorted.length;
  const chosen = new Map();
  for (const item of sorted) if (item.genre) chosen.set(item.genre, (chosen.get(item.genre) ?? 0) + item.popularity);
  const genres = [...chosen].sort((a, b) => b[1] - a[1]).slice(0, COLOURS).map(([name]) => name);
  const place = new Map(genres.map((name, i) => [name, i]));
  const most = Math.max(sorted[0]?.popularity ?? 1, 1);
  const x = new Float32Array(n), y = new Float32Array(n), r = new Float32Array(n), hue = new Uint8Array(n);
  const wide = span(sorted, "x"), high = span(sorted, "y");
  sorted.forEach((item, i) => {
    x[i] = wide(item.x);
    y[i] = 1 - high(item.y);
    r[i] = Math.sqrt(item.popularity / most);
    hue[i] = place.get(item.genre) ?? COLOURS;
  });
  return { items: sorted, n, x, y, r, hue, genres, at: new Map(sorted.map((item, i) => [item.id, i])), grid: grid(x, y, n) };
}

/** What brings a coordinate to 0..1, so that the whole sheet is used. */
function span(items, name) {
  let low = Infinity, high = -Infinity;
  for (const item of items) { low = Math.min(low, item[name]); high = Math.max(high, item[name]); }
  return (v) => (high > low ? (v - low) / (high - low) : 0.5);
}

function grid(x, y, n) {
  const side = Math.max(8, Math.min(160, Math.round(Math.sqrt(n / 3))));
  const cell = (v) => Math.min(side - 1, Math.max(0, Math.floor(v * side)));
  const start = new Uint32Array(side * side + 1);
  for (let i = 0; i < n; i++) start[cell(y[i]) * side + cell(x[i]) + 1]++;
  for (let c = 0; c < side * side; c++) start[c + 1] += start[c];
  const next = start.slice(0, -1);
  const inside = new Uint32Array(n);
  for (let i = 0; i < n; i++) inside[next[cell(y[i]) * side + cell(x[i])]++] = i;
  return { side, start, inside, cell };
}

/** Call act(i) for every point whose cell touches the box. */
export function within({ grid: g }, x0, y0, x1, y1, act) {
  for (let row = g.cell(y0); row <= g.cell(y1); row++) {
    for (let i = g.start[row * g.side + g.cell(x0)]; i < g.start[row * g.side + g.cell(x1) + 1]; i++) act(g.inside[i]);
  }
}

export const OTHER = COLOURS;
