// The page of films, wired.
import { onLocked } from "./api.js";
import { choice, onChoice } from "./choice.js";
import { $ } from "./dom.js";
import { startFilters } from "./filters.js";
import { sources } from "./goods.js";
import { askKey } from "./key.js";
import { startMine } from "./mine.js";
import { startPerson } from "./person.js";
import { startPicker } from "./picker.js";
import { add, onProgramme, startProgramme } from "./programme.js";
import { startSimilar } from "./similar.js";
import { listed, onLanguage, speak, t } from "./words.js";

speak("title");
onLanguage(() => { $("colophon").textContent = sources.length ? t("colophon.pictures", { hosts: listed(sources) }) : t("colophon"); });
onLocked(askKey);
startProgramme();
startPicker();
startMine();
startFilters();
startPerson();
startSimilar(add);

// The left column stays in sight; one that is taller than the window stays by its lower end.
new ResizeObserver(([entry]) => {
  entry.target.style.setProperty("--tall", `${entry.target.offsetHeight}px`);
}).observe(document.querySelector(".asked"));

// What shows the second stage is fetched where a list has one, or the address asks to see it.
let stages = null;
const fetchStages = () => {
  stages ??= import("./compare.js").then(({ startCompare }) => startCompare(add)).catch(() => { stages = null; });
};
if (choice.both) fetchStages();
onProgramme(async (ids, answer, asked) => {
  if (answer.items.some((item) => item.place)) fetchStages();
  (await stages)?.(answer, asked);
});

// The map is fetched when it is nearly in sight, and stays as it is while nobody looks at it.
let marks = [];
let map = null;
onProgramme((ids) => { marks = ids; map?.mark(choice.films, marks); });
onChoice(() => map?.mark(choice.films, marks));
new IntersectionObserver(async (entries, watcher) => {
  if (!entries.some((entry) => entry.isIntersecting)) return;
  watcher.disconnect();
  const { startMap } = await import("./map.js");
  map = await startMap(add);
  map?.mark(choice.films, marks);
}, { rootMargin: "600px" }).observe($("map"));
