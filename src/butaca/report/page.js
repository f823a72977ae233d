/* The map answers: hover, arrow keys, search and legend. Without this script the dots keep their native titles. */
(() => {
  "use strict";
  const box = document.getElementById("map-box");
  if (!box) return;
  const svg = box.querySelector("svg"), tip = box.querySelector(".tip"), links = box.querySelector(".links");
  const names = [...box.querySelectorAll(".names")], live = document.getElementById("map-live");
  const search = document.getElementById("map-search"), hint = live.textContent;
  const chips = [...document.querySelectorAll(".chip")];
  const fold = (s) => s.normalize("NFKD").replace(/[\u0300-\u036f]/g, "").toLowerCase();
  const dots = [...box.querySelectorAll(".dots circle")].map((node) => {
    const title = node.querySelector("title"), [name, more] = title.textContent.split("\n");
    title.remove();
    return {
      node, name, more, key: fold(name),
      x: +node.getAttribute("cx"), y: +node.getAttribute("cy"), r: +node.getAttribute("r"),
      near: node.dataset.n ? node.dataset.n.split(",").map(Number) : [], on: true,
    };
  });
  let at = null, pinned = false;

  function show(dot) {
    if (at === dot) return;
    dots.forEach((d) => d.node.classList.remove("at", "near"));
    links.replaceChildren();
    at = dot;
    tip.hidden = !dot;
    if (!dot) { live.textContent = hint; return; }
    dot.node.classList.add("at");
    for (const n of dot.near) {
      dots[n].node.classList.add("near");
      const line = document.createElementNS(svg.namespaceURI, "line");
      for (const [k, v] of [["x1", dot.x], ["y1", dot.y], ["x2", dots[n].x], ["y2", dots[n].y]]) line.setAttribute(k, v);
      links.append(line);
    }
    const strong = document.createElement("b");
    strong.textContent = dot.name;
    tip.replaceChildren(strong, dot.more);
    const scale = svg.clientWidth / svg.viewBox.baseVal.width, half = tip.offsetWidth / 2;
    tip.style.left = Math.min(Math.max(dot.x * scale, half), Math.max(svg.clientWidth - half, half)) + "px";
    tip.style.top = dot.y * scale + "px";
    tip.classList.toggle("below", dot.y * scale < tip.offsetHeight + 20);
    live.textContent = dot.name + ". " + dot.more + ". " + box.dataset.nearest + " " + dot.near.map((n) => dots[n].name).join("; ");
  }

  function filter() {
    const kinds = chips.filter((c) => c.getAttribute("aria-pressed") === "true").map((c) => c.dataset.g);
    const wanted = fold(search.value.trim());
    let found = 0;
    for (const d of dots) {
      const hit = wanted !== "" && d.key.includes(wanted);
      d.on = (!kinds.length || kinds.some((k) => d.node.classList.contains(k))) && (wanted === "" || hit);
      d.node.classList.toggle("off", !d.on);
      d.node.classList.toggle("hit", hit && d.on);
      found += d.on;
    }
    names.forEach((n) => n.classList.toggle("away", kinds.length > 0 || wanted !== ""));
    show(null);
    if (wanted !== "") {
      const first = dots.filter((d) => d.on).slice(0, 6).map((d) => d.name).join("; ");
      live.textContent = box.dataset.found.replace("%", found) + (found ? ": " + first : "");
    }
  }

  function nearest(event) {
    const frame = svg.getBoundingClientRect(), scale = svg.viewBox.baseVal.width / frame.width;
    const x = (event.clientX - frame.left) * scale, y = (event.clientY - frame.top) * scale;
    let best = null, least = (event.pointerType === "touch" ? 22 : 12) * scale;
    for (const d of dots) {
      const far = Math.hypot(d.x - x, d.y - y) - d.r;
      if (d.on && far < least) { least = far; best = d; }
    }
    return best;
  }

  svg.addEventListener("pointermove", (e) => { if (!pinned) show(nearest(e)); });
  svg.addEventListener("pointerleave", () => { if (!pinned) show(null); });
  svg.addEventListener("click", (e) => { const d = nearest(e); pinned = d !== null; show(d); });
  svg.addEventListener("keydown", (e) => {
    const way = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] }[e.key];
    if (e.key === "Escape") { pinned = false; show(null); return; }
    if (!way) return;
    e.preventDefault();
    let best = null, least = Infinity;
    for (const d of dots) {
      if (!d.on || d === at) continue;
      if (!at) { best = d; break; }
      const along = (d.x - at.x) * way[0] + (d.y - at.y) * way[1];
      const aside = Math.abs((d.x - at.x) * way[1]) + Math.abs((d.y - at.y) * way[0]);
      if (along > 0 && aside <= 1.5 * along && along + 2 * aside < least) { least = along + 2 * aside; best = d; }
    }
    if (best) { pinned = true; show(best); }
  });
  search.addEventListener("input", () => { pinned = false; filter(); });
  search.addEventListener("keydown", (e) => {
    if (e.key !== "Enter" || !search.value.trim()) return;
    const first = dots.find((d) => d.on);
    if (first) { pinned = true; show(first); }
  });
  for (const chip of chips) {
    chip.addEventListener("click", () => {
      chip.setAttribute("aria-pressed", String(chip.getAttribute("aria-pressed") !== "true"));
      pinned = false;
      filter();
    });
  }
})();
