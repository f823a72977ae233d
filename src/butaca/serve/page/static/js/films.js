// What is known of each film: what the service said of it last, by id.
import { get, itemPath } from "./api.js";

const known = new Map();
const OF_A_LIST = new Set(["score", "because", "stage", "retrieval_score", "place", "moved"]); // not of the film

/** Keep what an answer says of its items; give them back. */
export function learn(items) {
  for (const item of items) {
    item.id = String(item.id); // ids go through addresses and attributes, which hold text
    const before = known.get(item.id) ?? {};
    const fresh = Object.fromEntries(Object.entries(item).filter(([name, v]) => !OF_A_LIST.has(name) && v != null));
    known.set(item.id, { ...before, ...fresh });
  }
  return items;
}

/** A film as far as it is known. */
export const film = (id) => known.get(id) ?? { id, title: id };

/** Learn the genres of films that were named without them; whatever fails is left unknown. */
export async function fetchKinds(ids) {
  const missing = ids.filter((id) => !known.get(id)?.genres);
  await Promise.allSettled(missing.map(async (id) => learn([await get(itemPath(id))])));
  return missing.length > 0;
}

/** Ask for those that are not known; the ids that the catalogue does not have come back. */
export async function fetchFilms(ids) {
  const missing = ids.filter((id) => !known.has(id));
  const lost = [];
  await Promise.all(missing.map(async (id) => {
    try { learn([await get(itemPath(id))]); } catch (failure) {
      if (failure.status !== 404 && failure.status !== 422) throw failure;
      lost.push(id);
    }
  }));
  return lost;
}
