"""This module says which items may come back, by any column of their table: genres, years, a language.

A condition on a column is one of

    "Drama"                      the value, or one of a row's values
    ["Drama", "Comedy"]          any of these
    {"all": ["Drama", "War"]}    every one of these, of a row with several values
    {"not": ["Horror"]}          none of these
    {"min": 1990, "max": 1999}   a number within these, either left out; of dates {"min": "2011-12-01"}

and where several columns have one, an item meets them all. Text is compared without case and accents.
An item whose value is missing meets no condition but "not".
"""

from __future__ import annotations

import functools
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, TypeAlias

import numpy as np

from butaca.catalogue.choices import MOST, Choice, days_of, flag_choice, number_choice
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

#: Masks of values kept for the next query.
KEPT = 512


@dataclass(frozen=True, eq=False)
class _Labels:
    """A _Labels says which items hold what, of a column of text, of labels or of several values a row."""

    words: Mapping[str, int]
    shown: tuple[str, ...]
    owner: Values
    code: Values
    n: int
    cache: dict[int, Bools] = field(default_factory=dict)

    @functools.cached_property
    def counts(self) -> Values:
        """Returns how many items hold each word."""
        return np.bincount(self.code, minlength=len(self.shown))

    def most(self, k: int, typed: str = "") -> tuple[tuple[str, int], ...]:
        """Returns the k words that most items hold, of those in which a word begins with what was typed."""
        wanted = folded(typed)
        found = []
        for at in np.argsort(-self.counts, kind="stable"):
            text = f" {folded(self.shown[at])}"
            if self.counts[at] and (not wanted or f" {wanted}" in text.replace("-", " ")):
                found.append((self.shown[at], int(self.counts[at])))
                if len(found) == k:
                    break
        return tuple(found)

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
        apart: columns that `choices` does not offer, such as titles.
    """

    def __init__(self, items: Entities, apart: Sequence[str] = ()) -> None:
        self._items, self._apart = items, apart
        self._columns: dict[str, _Labels | Values] = {}
        self._dates: set[str] = set()  # of the columns that were read
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
        """Returns the columns that a person may want to filter by: numbers, dates, shared labels."""
        out = []
        for name, short in self._names.items():
            if name in self._apart:
                continue
            column = self._column(name)
            if isinstance(column, _Labels):
                n = len(column.counts)
                if column.counts.max(initial=0) < 2 or n > max(MOST, len(self._items) // 4):
                    continue  # (nearly) every item its own
                flag = flag_choice(short, column.shown, counts=column.counts)
                out.append(flag or Choice(short, "labels", column.most(MOST), int((column.counts > 0).sum())))
                continue
            known = column[np.isfinite(column)]
            if not len(known):
                continue
            if name in self._dates:
                out.append(Choice(short, "date", low=float(known.min()), high=float(known.max())))
            elif not (_is_id(name) and len(np.unique(known)) == len(self._items)):
                out.append(number_choice(short, known))
        return out

    def values(self, asked: str, typed: str, *, k: int = MOST) -> tuple[tuple[str, int], ...]:
        """Returns the labels of a column that fit what was typed so far, with their items.

        Raises:
            SettingError: there is no such column, or it holds no labels.
        """
        name = self._known(asked)
        column = self._column(name)
        if not isinstance(column, _Labels):
            raise SettingError("Values are searched in a column of labels", f"{name!r}, which holds none")
        return column.most(k, typed)

    def numbers(self, asked: str) -> Values | None:
        """Returns a column of numbers by its name or short name, float [N]; None if there is none."""
        name = self._by_name.get(folded(asked))
        column = None if name is None else self._column(name)
        return None if isinstance(column, _Labels) else column

    def names(self) -> dict[str, str]:
        """Returns the short name of each column."""
        return dict(self._names)

    def _condition(self, asked: str, condition: Any) -> Bools:
        name = self._known(asked)
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

    def _known(self, asked: str) -> str:
        """Returns the name of a column in the table, by its name or short name."""
        name = self._by_name.get(folded(asked))
        if name is None:
            have = ", ".join(self._names.values()) or "none"
            raise SettingError(
                "A condition is on a column of the items' table",
                repr(asked)[:80],
                f"The columns are: {have}",
            )
        return name

    def _values(self, name: str, column: _Labels | Values, kind: str, value: Any) -> Bools:
        wanted: Sequence[Any] = list(value) if isinstance(value, list | tuple | set) else [value]
        if isinstance(column, _Labels):
            masks = [column.mask(self._names[name], v) for v in wanted]
        else:
            masks = [column == column.dtype.type(self._limit(name, v)) for v in wanted]
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
        limit = column.dtype.type(self._limit(name, value))  # 0.2 is the column's own 0.2
        with np.errstate(invalid="ignore"):
            within: Bools = column >= limit if kind == "min" else column <= limit
        return within

    def _limit(self, name: str, value: Any) -> float:
        """Returns a limit as the column holds it: of a column of dates the day that a text names."""
        if name not in self._dates:
            return _number(name, value)
        found = days_of([str(value)])
        if found is None:
            raise SettingError(f"A limit of {name!r} is a date", shown(value), "Try 2011-12-01")
        return float(found[0])

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
        days = None if isinstance(column, Bags) or labels else days_of(texts)
        if days is not None:
            self._dates.add(name)
            return days
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


def _is_id(name: str) -> bool:
    """Says whether a column is called as ids are."""
    return bool(re.search(r"(^|_|[a-z])(id|Id|ID|code|sku)$", name))


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
