// Where the map is looked at from: a scale, and which place is at the upper left corner.

const EDGE = 34;
export const DEEPEST = 40;

export class View {
  constructor() {
    Object.assign(this, { scale: 1, left: 0, top: 0, width: 1, height: 1 });
  }

  resize(width, height) {
    Object.assign(this, { width, height });
    this.clamp();
  }

  // World 0..1 to the screen and back; at scale 1 all of it fits, with an edge.
  x(wx) { return (EDGE + wx * (this.width - 2 * EDGE)) * this.scale - this.left; }
  y(wy) { return (EDGE + wy * (this.height - 2 * EDGE)) * this.scale - this.top; }
  worldX(sx) { return ((sx + this.left) / this.scale - EDGE) / (this.width - 2 * EDGE); }
  worldY(sy) { return ((sy + this.top) / this.scale - EDGE) / (this.height - 2 * EDGE); }

  /** Zoom about a place of the screen, which stays where it is. */
  zoom(factor, sx = this.width / 2, sy = this.height / 2) {
    const scale = Math.min(DEEPEST, Math.max(1, this.scale * factor));
    const f = scale / this.scale;
    this.left = (this.left + sx) * f - sx;
    this.top = (this.top + sy) * f - sy;
    this.scale = scale;
    this.clamp();
  }

  pan(dx, dy) {
    this.left -= dx;
    this.top -= dy;
    this.clamp();
  }

  all() {
    Object.assign(this, { scale: 1, left: 0, top: 0 });
  }

  clamp() {
    this.left = Math.min(Math.max(this.left, 0), this.width * (this.scale - 1));
    this.top = Math.min(Math.max(this.top, 0), this.height * (this.scale - 1));
  }
}
