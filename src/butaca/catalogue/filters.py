"""This module says which items may come back, by any column of their table: genres, years, a language.

A condition on a column is one of

    "Drama"                      the value, or one of a row's values
    ["Drama", "Comedy"]          any of these
    {"all": ["Drama", "War"]}    every one of these, of a row with several values
    {"not": ["Horror"]}          none of these
    {"min": 1990, "max": 1999}   a number within these, either left out

and where several columns have one, an item meets them all. Text is compared without case and accents.
An item whose value is missing meets no condition but "not".
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, TypeAlias

import numpy as np

from butaca.catalogue.titles import folded
from butaca.checks import shown
from butaca.data.bags import Bags
from butaca.data.dataset import Entities
from butaca.errors import SettingError
from butaca.types import Bools, Values

Where: TypeAlias = Mapping[str, Any]

#: Conditions that a mapping may state.
KINDS = ("any", "all", "not", "min", "max")

#: Names of a column that tells when an item appeared.
YEARS = ("year", "release_year", "anio", "año")

#: Values that `choices` lists of a column at most, the most frequent first.
MOST = 60

#: Masks of values kept for the next query.
KEPT = 512


@dataclass(frozen=True)
class Choice:
    """A Choice is what a column can be filtered by.

    Attributes:
        name: of the column, short where that is clear ("genres" for "movie_genres").
        kind: "labels" or "number".
        values: labels with their items, the most frequent first.
        low, high: of a number.
    """

    name: str
    kind: str
    values: tuple[tuple[str, int], ...] = ()
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, eq=False)
class _Labels:
    """A _Labels says which items hold what, of a column of text, of labels or of several values a row."""

    words: Mapping[str, int]
    shown: tuple[str, ...]
    owner: Values
    code: Values
    n: int
    cache: dict[int, Bools] = field(default_factory=dict)

    def mask(self, column: str, value: Any) -> Bools:
        word = folded(str(value))
        code = self.words.get(word)
        if code is None:
            near = get_close_matches(word, list(self.words), n=3)
            some = [self.shown[self.words[w]] for w in near] or list(self.shown[:5])
            raise SettingError(
                f"A value of {column!r} is one that an item has",
                repr(value)[:80],
                f"There is {', '.join(map(repr, some))}",
            )
        found = self.cache.get(code)
        if found is None:
            found = np.zeros(self.n, dtype=bool)
            found[self.owner[self.code == code]] = True
            if len(self.cache) < KEPT:
                self.cache[code] = found
        return found


class Filters:
    """A Filters makes of conditions on the items' table masks over the catalogue.

    Args:
        items: the items.
    """

    def __init__(self, items: Entities) -> None:
        self._items = items
        self._columns: dict[str, _Labels | Values] = {}
        names = [name for name in items.columns if name != items.key]
        short = Counter(_short(name, items.key) for name in names)
        self._names = {n: _short(n, items.key) for n in names}
        self._names = {n: s if short[s] == 1 else n for n, s in self._names.items()}
        self._by_name = {folded(n): n for n in names} | {folded(s): n for n, s in self._names.items()}

    def mask(self, where: Where) -> Bools:
        """Returns the items that meet every condition, [N].

        Raises:
            SettingError: a column, a value or a condition that there is not; names those that there are.
        """
        out = np.ones(len(self._items), dtype=bool)
        if not isinstance(where, Mapping):
            raise SettingError(
                "Conditions are a mapping of columns", shown(where), 'Try where={"genres": ["Drama"]}'
            )
        for asked, condition in where.items():
            out &= self._condition(str(asked), condition)
        return out

    def choices(self) -> list[Choice]:
        """Returns the columns that a person may want to filter by: numbers, and labels that items share."""
        out = []
        for name, short in self._names.items():
            column = self._column(name)
            if isinstance(column, _Labels):
                counts = np.bincount(column.code, minlength=len(column.shown))
                if counts.max(initial=0) < 2 or len(counts) > max(MOST, len(self._items) // 4):
                    continue  # (nearly) every item its own
                order = [i for i in np.argsort(-counts, kind="stable")[:MOST] if counts[i]]
                values = tuple((column.shown[i], int(counts[i])) for i in order)
                out.append(Choice(short, "labels", values))
            else:
                known = column[np.isfinite(column)]
                if len(known):
                    out.append(Choice(short, "number", low=float(known.min()), high=float(known.max())))
        return out

    def numbers(self, asked: str) -> Values | None:
        """Returns a column of numbers by its name or short name, float [N]; None if there is none."""
        name = self._by_name.get(folded(asked))
        column = None if name is None else self._column(name)
        return None if isinstance(column, _Labels) else column

    def names(self) -> dict[str, str]:
        """Returns the short name of each column."""
        return dict(self._names)

    def _condition(self, asked: str, condition: Any) -> Bools:
        name = self._by_name.get(folded(asked))
        if name is None:
            have = ", ".join(self._names.values()) or "none"
            raise SettingError(
                "A condition is on a column of the items' table",
                repr(asked)[:80],
                f"The columns are: {have}",
            )
        column = self._column(name)
        if not isinstance(condition, Mapping):
            condition = {"any": condition}
        if not condition or set(condition) - set(KINDS):
            raise SettingError(
                "A condition is a value, a list of values, or a mapping of " + ", ".join(KINDS),
                f"{name!r}: {condition!r}"[:160],
                'Try {"genres": ["Drama"]} or {"year": {"min": 1990}}',
            )
        out = np.ones(len(self._items), dtype=bool)
        for kind, value in condition.items():
            if kind in {"min", "max"}:
                out &= self._range(name, column, kind, value)
            else:
                out &= self._values(name, column, kind, value)
        return out

    def _values(self, name: str, column: _Labels | Values, kind: str, value: Any) -> Bools:
        wanted: Sequence[Any] = list(value) if isinstance(value, list | tuple | set) else [value]
        if isinstance(column, _Labels):
            masks = [column.mask(self._names[name], v) for v in wanted]
        else:
            masks = [column == column.dtype.type(_number(name, v)) for v in wanted]
        empty = np.zeros(len(self._items), dtype=bool)
        if kind == "all":
            return np.logical_and.reduce(masks) if masks else ~empty
        any_of: Bools = np.logical_or.reduce(masks) if masks else empty
        return ~any_of if kind == "not" else any_of

    def _range(self, name: str, column: _Labels | Values, kind: str, value: Any) -> Bools:
        if isinstance(column, _Labels):
            raise SettingError(
                "min and max are for a column of numbers",
                f"{name!r}, which holds labels such as {column.shown[:1]}",
                f'Try {{"{name}": [value, ...]}}',
            )
        limit = column.dtype.type(_number(name, value))  # 0.2 is the column's own 0.2
        with np.errstate(invalid="ignore"):
            within: Bools = column >= limit if kind == "min" else column <= limit
        return within

    def _column(self, name: str) -> _Labels | Values:
        found = self._columns.get(name)
        if found is None:
            found = self._columns[name] = self._read(name)
        return found

    def _read(self, name: str) -> _Labels | Values:
        column, labels = self._items[name], self._items.labels.get(name)
        if not isinstance(column, Bags) and not labels and column.dtype.kind in "iuf":
            numbers = column.copy() if column.dtype.kind == "f" else column.astype(np.float64)
            if self._names[name] in YEARS:
                numbers[numbers <= 0] = np.nan  # how tables of whole numbers say that a year is missing
            return numbers
        values = column.values if isinstance(column, Bags) else column
        owner = np.arange(len(self._items))
        if isinstance(column, Bags):
            owner = np.repeat(owner, np.diff(column.offsets))
        raw = values.tolist()
        texts = [labels[int(v)] for v in raw] if labels else [str(v) for v in raw]
        words: dict[str, int] = {}
        shown: list[str] = []
        codes = np.empty(len(texts), dtype=np.int64)
        for i, text in enumerate(texts):
            word = folded(text)
            if word not in words:
                words[word] = len(shown)
                shown.append(text)
            codes[i] = words[word]
        given = np.array([bool(text) for text in texts], dtype=bool)
        return _Labels(words, tuple(shown), owner[given], codes[given], len(self._items))


def _short(name: str, key: str) -> str:
    """Returns a column's name without what it shares with the key's: "movie_genres" beside "movie_id"."""
    prefix = key.split("_", maxsplit=1)[0] + "_"
    return name.removeprefix(prefix) or name


def _number(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | np.number):
        try:
            value = float(str(value))
        except ValueError:
            value = math.nan
    try:
        number = float(value)
    except OverflowError:
        number = math.nan
    if not math.isfinite(number):
        raise SettingError(f"A limit of {name!r} is a finite number", repr(value)[:80], "Try 1990")
    return number
