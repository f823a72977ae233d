// Pointers on the map: a mouse drags and hovers, fingers pan and pinch, the wheel zooms once the map is in use.

const SLACK = 5; // pixels a press may wander and still be a press

/** hears: {moved(), hover(x, y) or hover(null), press(x, y)}. */
export function hold(canvas, view, { moved, hover, press }) {
  const down = new Map();
  let far = 0;
  const place = (event) => {
    const box = canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button > 0) return;
    if (!down.size) far = 0;
    down.set(event.pointerId, place(event));
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", (event) => {
    const [x, y] = place(event);
    const from = down.get(event.pointerId);
    if (!from) {
      if (event.pointerType === "mouse") hover(x, y);
      return;
    }
    const [dx, dy] = [x - from[0], y - from[1]];
    far += Math.hypot(dx, dy);
    down.set(event.pointerId, [x, y]);
    if (far <= SLACK) return;
    const other = [...down].find(([id]) => id !== event.pointerId)?.[1];
    if (other) {
      const was = Math.hypot(from[0] - other[0], from[1] - other[1]);
      const now = Math.hypot(x - other[0], y - other[1]);
      view.pan(dx / 2, dy / 2);
      if (was > 8) view.zoom(now / was, (x + other[0]) / 2, (y + other[1]) / 2);
    } else view.pan(dx, dy);
    canvas.classList.add("drag");
    moved();
  });
  const up = (event) => {
    const was = down.delete(event.pointerId);
    if (!down.size) canvas.classList.remove("drag");
    if (was && event.type === "pointerup" && far <= SLACK && !down.size) press(...place(event));
  };
  canvas.addEventListener("pointerup", up);
  canvas.addEventListener("pointercancel", up);
  canvas.addEventListener("pointerleave", () => { if (!down.size) hover(null); });
  canvas.addEventListener("dblclick", (event) => { view.zoom(1.8, ...place(event)); moved(); });
  canvas.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && document.activeElement !== canvas) return; // the page scrolls
    event.preventDefault();
    view.zoom(Math.exp(-event.deltaY * (event.ctrlKey ? 0.01 : 0.0018) * (event.deltaMode ? 16 : 1)), ...place(event));
    moved();
  }, { passive: false });
}
