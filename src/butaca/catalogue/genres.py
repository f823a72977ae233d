"""This module finds the main genre of every item, where a column tells genres."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from butaca.data.bags import Bags
from butaca.data.dataset import Entities
from butaca.types import Floats, Ints

#: Columns that hold genres, in order of preference; then any whose name begins so.
GENRE_COLUMNS = ("movie_genres", "genres", "genre", "generos", "géneros", "genero", "género", "category")
PREFIXES = ("genre", "género", "genero", "categor")

#: Colours on the map; what is rarer is "other".
COLOURS = 8


@dataclass(frozen=True)
class Genres:
    """A Genres says what kind each item is.

    Attributes:
        column: where it comes from.
        names: the kinds that have a colour, the most common first.
        main: of each item, place in `names`, int64 [N]; len(names) for all others.
        words: every item's genres, as a person reads them.
    """

    column: str
    names: tuple[str, ...]
    main: Ints
    words: list[list[str]]


def find_genres(items: Entities, popularity: Floats) -> Genres | None:
    """Returns the genres of a catalogue, or None where no column tells them.

    An item of several genres has the rarest of them as its main one, among the `COLOURS` that have
    the most interactions: of Animation, Children and Comedy, the most telling.
    """
    column = _column(items)
    if column is None:
        return None
    words = [[w for w in items.names(column, code) if w.strip()] for code in range(len(items))]
    watched: Counter[str] = Counter()
    common: Counter[str] = Counter()
    for row, weight in zip(words, popularity.tolist(), strict=True):
        common.update(set(row))
        watched.update(dict.fromkeys(row, weight))
    if len(common) < 2:
        return None
    names = tuple(sorted(common, key=lambda g: (-watched[g], g))[:COLOURS])
    place = {name: i for i, name in enumerate(names)}
    main = np.full(len(items), len(names), dtype=np.int64)
    for code, row in enumerate(words):
        own = [g for g in row if g in place]
        if own:
            main[code] = place[min(own, key=lambda g: (common[g], g))]
    return Genres(column, names, main, words)


def _column(items: Entities) -> str | None:
    named = [c for c in GENRE_COLUMNS if c in items.columns]
    named += [c for c in items.columns if c.casefold().startswith(PREFIXES)]
    for name in named:
        column = items.columns[name]
        if isinstance(column, Bags) or column.dtype.kind in "OU" or name in items.labels:
            return name
    return None
