"""This module says what a person may filter the items by, and how: words, numbers, dates, yes or no."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np

from butaca.types import Values

Kind: TypeAlias = Literal["labels", "number", "date", "flag"]

#: Values that a choice lists at most, the most frequent first; more are found by searching.
MOST = 60

#: Stops of a slider that is not even.
STOPS = 100

#: Share of the values that a slider's own digits write exactly.
EXACT = 0.98

#: A column is drawn on a log scale where its largest value is so many times its median.
FAR = 20.0

#: How tables write a date, with a time or without.
ISO_DATE = re.compile(
    r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?"
)

#: Words of yes and no, in pairs.
FLAGS = (("true", "false"), ("yes", "no"), ("y", "n"), ("si", "no"), ("t", "f"), ("1", "0"))


@dataclass(frozen=True)
class Choice:
    """A Choice is what a column can be filtered by.

    Attributes:
        name: of the column, short where that is clear ("genres" for "movie_genres").
        kind: "labels", "number", "date" or "flag" (yes or no).
        values: labels with their items, the most frequent first, `MOST` at most; of a flag yes, then no.
        total: how many labels there are.
        low, high: of a number, rounded outwards to `digits`; of a date in days since 1970.
        digits: decimals of a number.
        stops: where a slider stops that is not even, ascending; (): it is.
    """

    name: str
    kind: Kind
    values: tuple[tuple[Any, int], ...] = ()
    total: int = 0
    low: float | None = None
    high: float | None = None
    digits: int = 0
    stops: tuple[float, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Returns the choice as `/v1/filters` tells it."""
        column: dict[str, Any] = {"name": self.name, "kind": self.kind}
        if self.kind in {"labels", "flag"}:
            column["values"] = [{"value": value, "count": count} for value, count in self.values]
            return column | ({"total": self.total} if self.kind == "labels" else {})
        if self.kind == "date":
            return column | {"min": day_text(self.low), "max": day_text(self.high)}
        column |= {"min": _whole(self.low), "max": _whole(self.high), "digits": self.digits}
        return column | ({"stops": [_whole(stop) for stop in self.stops]} if self.stops else {})


def number_choice(name: str, known: Values) -> Choice:
    """Returns the choice of a column of numbers, all of which are known, at least one.

    >>> choice = number_choice("price", np.array([0.001, 1.25, 2.95, 3.75] * 50 + [649.5], np.float32))
    >>> choice.low, choice.high, choice.digits, choice.stops[:4]
    (0.0, 649.5, 2, (0.0, 0.01, 0.02, 0.03))
    """
    if set(np.unique(known).tolist()) <= {0.0, 1.0}:
        ones = int((known == 1).sum())
        return Choice(name, "flag", ((1, ones), (0, len(known) - ones)))
    digits = digits_of(known)
    unit = 10.0**-digits
    low, high = _outwards(float(known.min()), float(known.max()), digits)
    stops: tuple[float, ...] = ()
    median = float(np.median(known[known > 0])) if (known > 0).any() else 0.0
    if low >= 0 and median and high > FAR * median and high > 20 * unit:
        first = max(unit, float(np.quantile(known[known > 0], 0.005)))
        stops = log_stops(low, high, first=min(first, high / 2), digits=digits)
    return Choice(name, "number", low=low, high=high, digits=digits, stops=stops)


def digits_of(values: Values) -> int:
    """Returns the decimals that write nearly all of these numbers, by their own precision; 6 at most.

    >>> digits_of(np.array([2.55, 3.39, 2.75], np.float32)), digits_of(np.array([1990.0, 1999.0]))
    (2, 0)
    """
    if values.dtype.kind in "iub" or not len(values):
        return 0
    some = np.unique(values[:: max(len(values) // 20_000, 1)])
    counts = np.array([_decimals(value) for value in some])
    return min(int(np.quantile(counts, EXACT, method="lower")), 6)


def log_stops(low: float, high: float, *, first: float, digits: int) -> tuple[float, ...]:
    """Returns where a slider on a log scale stops: the low end, then even steps of ratio, in round numbers.

    >>> log_stops(0.0, 1000.0, first=1.0, digits=0)[:8], log_stops(0.0, 1000.0, first=1.0, digits=0)[-1]
    ((0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0), 1000.0)

    Args:
        low: the lower end.
        high: the upper one.
        first: where the even steps begin.
        digits: decimals that a stop has at most.
    """
    raw = np.geomspace(max(first, 1e-12), high, STOPS)
    rounded = {float(f"{round(float(f'{value:.2g}'), digits):g}") for value in raw}
    inner = sorted(value for value in rounded if low < value < high)
    return (low, *inner, high)


def flag_choice(name: str, words: Sequence[str], *, counts: Values) -> Choice | None:
    """Returns the choice of a column of two words that mean yes and no, or None.

    >>> flag_choice("gift", ["No", "Yes"], counts=np.array([3, 4])).values
    (('Yes', 4), ('No', 3))
    """
    plain = [word.casefold().replace("í", "i") for word in words]
    for pair in FLAGS:
        if len(plain) == 2 and set(plain) == set(pair):
            order = [plain.index(word) for word in pair]
            return Choice(name, "flag", tuple((words[at], int(counts[at])) for at in order))
    return None


def days_of(texts: Sequence[str]) -> Values | None:
    """Returns days since 1970 of a column of dates, float64, nan where it is empty; None of another column.

    >>> days_of(["1970-01-03", "", "1970-01-02 08:26:00"]).tolist()
    [2.0, nan, 1.0]
    """
    filled = [text for text in texts if text]
    if not filled or not all(ISO_DATE.fullmatch(text) for text in filled):
        return None
    try:
        days = np.array([text[:10] or "NaT" for text in texts], dtype="datetime64[D]")
    except ValueError:  # the 30th of February
        return None
    out: Values = days.astype(np.int64).astype(np.float64)
    out[np.isnat(days)] = np.nan
    return out


def day_text(day: float | None) -> str:
    """Returns a day since 1970 as ISO text.

    >>> day_text(15309.0)
    '2011-12-01'
    """
    return "" if day is None else str(np.datetime64(int(day), "D"))


def _decimals(value: Any) -> int:
    """Returns the decimals of a number's shortest text in its own precision."""
    text = np.format_float_positional(value, trim="-")
    return len(text.partition(".")[2])


def _outwards(low: float, high: float, digits: int) -> tuple[float, float]:
    unit = 10.0**digits
    down, up = np.floor(low * unit + 1e-6) / unit, np.ceil(high * unit - 1e-6) / unit
    return round(float(down), digits), round(float(up), digits)


def _whole(value: float | None) -> float | int | None:
    return int(value) if value is not None and value.is_integer() else value
