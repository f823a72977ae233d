// What the second stage went by, in words, by the names of its features.
import { t } from "./words.js";

// A pattern, its words, and those where the value is below zero.
const WORDS = [
  [/^(linear|together)_/, "why.with"], [/^near_/, "why.row"], [/^like_/, "why.like"],
  [/^popularity$/, "why.popular"], [/^popularity_less_own$/, "why.known", "why.unknown"],
  [/^recent_/, "why.recent"], [/^trend_/, "why.more", "why.fewer"], [/^days_since_/, "why.days"],
  [/^rating$/, "why.rating"], [/^divisive$/, "why.divisive"], [/^(generosity|own_spread)$/, "why.rates"], [/^history$/, "why.history"],
  [/^audience_/, "why.audience"], [/genres?_(had|liked)$/, "why.genres"], [/decade_(had|liked)$/, "why.decade"], [/language_(had|liked)$/, "why.language"],
  [/year_less_own$/, "why.newer", "why.older"], [/year(_had|_liked)?$/, "why.year"],
];

const word = ({ feature, value }) => {
  const found = WORDS.find(([pattern]) => pattern.test(feature));
  return found ? t((value < 0 && found[2]) || found[1]) : feature;
};

/** What speaks for where a film went, up or down, besides the first stage's own score, which both lists have. */
export function why(moved, up) {
  const same = (moved ?? []).filter(({ feature, points }) => (points > 0) === up && !feature.startsWith("retrieval_"));
  return [...new Set(same.map(word))];
}
