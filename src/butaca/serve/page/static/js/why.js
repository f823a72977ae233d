// What the second stage went by, in words, by the names of its features.
import { t } from "./words.js";

// A pattern, its words, and those where the value is below zero.
const WORDS = [
  [/^(linear|together)_/, "why.with"], [/^near_/, "why.row"], [/^like_/, "why.like"],
  [/^popularity$/, "why.popular"], [/^popularity_less_own$/, "why.known", "why.unknown"],
  [/^recent_/, "why.recent"], [/^trend_/, "why.more", "why.fewer"], [/^days_since_/, "why.days"],
  [/^rating$/, "why.rating"], [/^divisive$/, "why.divisive"],
  [/^audience_/, "why.audience"], [/genres?_(had|liked)$/, "why.genres"], [/decade_(had|liked)$/, "why.decade"], [/language_(had|liked)$/, "why.language"],
  [/year_less_own$/, "why.newer", "why.older"], [/year(_had|_liked)?$/, "why.year"],
];

const word = ({ feature, value }) => {
  const found = WORDS.find(([pattern]) => pattern.test(feature));
  return found ? t((value < 0 && found[2]) || found[1]) : feature;
};

// The first stage's own score is in both lists, and what is the person's is the same for every film: neither moves one.
const SAME = /^(retrieval_|history$|generosity$|own_spread$)/;

/** What speaks for where a film went, up or down. */
export function why(moved, up) {
  const same = (moved ?? []).filter(({ feature, points }) => (points > 0) === up && !SAME.test(feature));
  return [...new Set(same.map(word))];
}
