// The map on its canvas: points in the colours of the page, then what is marked, then titles.
import { OTHER, within } from "./map-points.js";

const TAU = Math.PI * 2;
const QUICK = 9000; // points drawn while the map moves; the rest comes when it rests

export class Picture {
  constructor(canvas) {
    this.canvas = canvas;
    this.pen = canvas.getContext("2d");
    this.read();
  }

  /** Colours and type are those of the stylesheet, in light and dark. */
  read() {
    const style = getComputedStyle(this.canvas);
    const at = (name) => style.getPropertyValue(name).trim();
    this.hues = Array.from({ length: OTHER }, (_, i) => at(`--g${i}`)).concat(at("--gx"));
    Object.assign(this, { ink: at("--ink"), soft: at("--soft"), paper: at("--paper"), ours: at("--ours") });
    this.font = `500 15px ${at("--serif")}`;
    this.bold = `700 15px ${at("--serif")}`;
    this.widths = new Map();
  }

  resize(width, height) {
    const ratio = Math.min(devicePixelRatio || 1, 2);
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(height * ratio);
    this.ratio = ratio;
  }

  width(text) {
    if (!this.widths.has(text)) {
      this.pen.font = this.bold;
      this.widths.set(text, this.pen.measureText(text).width);
    }
    return this.widths.get(text);
  }

  radius(view, points, i) {
    const small = points.n > 8000 ? 0.9 : 1.5;
    return (small + 6 * points.r[i]) * view.scale ** 0.3;
  }

  draw({ view, points, mine, list, only, at, labels, moving }) {
    const { pen } = this;
    pen.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    pen.clearRect(0, 0, view.width, view.height);
    const marked = mine.length + list.length > 0;
    const buckets = this.hues.map(() => []);
    const limit = moving ? QUICK : Infinity;
    within(points, view.worldX(-12), view.worldY(-12), view.worldX(view.width + 12), view.worldY(view.height + 12), (i) => {
      if (i < limit) buckets[points.hue[i]].push(i);
    });
    buckets.forEach((bucket, hue) => {
      pen.globalAlpha = only !== null && only !== hue ? 0.1 : marked && only === null ? 0.5 : 0.75;
      pen.fillStyle = this.hues[hue];
      pen.beginPath();
      for (const i of bucket) {
        const x = view.x(points.x[i]), y = view.y(points.y[i]), r = this.radius(view, points, i);
        if (r < 1.6) pen.rect(x - r, y - r, 2 * r, 2 * r);
        else { pen.moveTo(x + r, y); pen.arc(x, y, r, 0, TAU); }
      }
      pen.fill();
    });
    pen.globalAlpha = 1;
    for (const i of list) this.ring(view, points, i, this.paper, this.ours, 2);
    for (const i of mine) this.ring(view, points, i, this.ours, this.paper, 1.5);
    if (at !== null) this.ring(view, points, at, null, this.ink, 2.5, 4);
    this.titles(view, points, labels, only);
  }

  ring(view, points, i, inside, line, wide, more = 1) {
    const { pen } = this;
    pen.beginPath();
    pen.arc(view.x(points.x[i]), view.y(points.y[i]), this.radius(view, points, i) + more, 0, TAU);
    if (inside) { pen.fillStyle = inside; pen.fill(); }
    pen.strokeStyle = line;
    pen.lineWidth = wide;
    pen.stroke();
  }

  titles(view, points, labels, only) {
    const { pen } = this;
    pen.textBaseline = "middle";
    pen.lineJoin = "round";
    pen.lineWidth = 3.5;
    pen.strokeStyle = this.paper;
    for (const { i, text, x, y, must } of labels) {
      if (only !== null && points.hue[i] !== only && !must) continue;
      pen.font = must ? this.bold : this.font;
      pen.fillStyle = this.ink;
      const px = view.x(points.x[i]) + x, py = view.y(points.y[i]) + y;
      pen.strokeText(text, px, py);
      pen.fillText(text, px, py);
    }
  }
}
