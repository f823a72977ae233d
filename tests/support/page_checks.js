// What tests/serve/test_page.py asks of the page from within.
({
  /** Controls without an accessible name. */
  nameless() {
    const kinds = "button, a[href], input, canvas, summary, [role=listbox], [role=region], dialog[open], nav, svg[role=img]";
    return [...document.querySelectorAll(kinds)].filter((node) => {
      const by = (node.getAttribute("aria-labelledby") ?? "").split(" ").map((id) => document.getElementById(id)?.textContent ?? "");
      const own = node.matches("button, a, summary") ? node.textContent : "";
      const label = node.labels?.[0]?.textContent ?? "";
      return ![node.getAttribute("aria-label") ?? "", ...by, label, own].join("").trim();
    }).map((node) => node.outerHTML.slice(0, 120));
  },

  /** Ids that stand for two elements. */
  repeated() {
    const ids = [...document.querySelectorAll("[id]")].map((node) => node.id);
    return ids.filter((id, n) => ids.indexOf(id) !== n);
  },

  /** Controls that a thumb would miss. */
  small() {
    return [...document.querySelectorAll("button, a[href]:not(.skip), summary, input[type=text], label.tick")]
      .map((node) => [node, node.getBoundingClientRect().height])
      .filter(([node, high]) => node.checkVisibility({ contentVisibilityAuto: true }) && high < 43.5)
      .map(([node, high]) => `${node.outerHTML.slice(0, 80)} ${high}`);
  },

  /** Texts whose contrast with the paper is below AA. */
  faint() {
    const parts = (colour) => colour.match(/[\d.]+/g).map(Number);
    const light = (colour) => {
      const [r, g, b] = parts(colour).slice(0, 3).map((v) => v / 255).map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const paper = (node) => {
      for (; node; node = node.parentElement) {
        const colour = getComputedStyle(node).backgroundColor;
        if ((parts(colour)[3] ?? 1) > 0) return colour;
      }
      return "rgb(255, 255, 255)";
    };
    const out = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      const text = walker.currentNode.textContent.trim();
      const node = walker.currentNode.parentElement;
      if (!text || !node.checkVisibility() || node.closest("noscript, .skip, .away")) continue;
      const style = getComputedStyle(node);
      const [a, b] = [light(node.closest("svg") ? style.fill : style.color), light(paper(node))].sort((x, y) => y - x);
      const ratio = (a + 0.05) / (b + 0.05);
      if (ratio < (parseFloat(style.fontSize) >= 24 ? 3 : 4.5)) out.push(`${text.slice(0, 40)}: ${ratio.toFixed(2)}`);
    }
    return out;
  },

  /** Pixels of the map that are drawn. */
  ink() {
    const canvas = document.getElementById("canvas");
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    let drawn = 0;
    for (let i = 3; i < data.length; i += 4) if (data[i] > 40) drawn++;
    return drawn;
  },

  /** How many titles overlap on a map of 60,000 films at three depths, and how long that took. */
  async overlaps() {
    const load = (name) => import(`/static/js/${name}.js`);
    const [{ labels }, { points }, { View }] = await Promise.all(["map-labels", "map-points", "map-view"].map(load));
    const all = points(Array.from({ length: 60000 }, (_, i) => ({
      id: String(i), title: `Film number ${i}`, genre: "abc"[i % 3], popularity: i,
      x: Math.abs(Math.sin(i * 12.9898)), y: Math.abs(Math.sin(i * 78.233)),
    })));
    const width = (text) => text.length * 7;
    const view = new View();
    view.resize(1100, 600);
    const start = performance.now();
    let overlaps = 0, count = 0;
    for (const zoom of [1, 3, 3]) {
      view.zoom(zoom);
      const text = (i) => all.items[i].title;
      const boxes = labels(view, all, [5, 6, 7], { width, text, radius: () => 3, shown: () => true }).map((label) => {
        const x = view.x(all.x[label.i]) + label.x, y = view.y(all.y[label.i]) + label.y;
        return [x, y - 7, x + width(label.text), y + 7];
      });
      count += boxes.length;
      for (const a of boxes) {
        for (const b of boxes) if (a !== b && a[0] < b[2] && b[0] < a[2] && a[1] < b[3] && b[1] < a[3]) overlaps++;
      }
    }
    return { overlaps, count, ms: performance.now() - start };
  },
})
