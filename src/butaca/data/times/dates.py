"""This module reads dates as people write them: day first, month first, in English words.

A column is read in one way. Where its cells allow two, and these differ, the caller is asked.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from butaca.data.cells.converted import refuse
from butaca.data.columns.roles import Field
from butaca.data.formats.opened import Opened, quoted
from butaca.data.times import tidy
from butaca.data.times.months import MONTHS, in_english
from butaca.errors import TableError

SAMPLE = 1000  # cells by which the ways are chosen that are tried on all
YEAR_1000 = -30_610_224_000_000_000  # in microseconds: what lies before it is a year of two digits
_CLOCKS = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %I:%M %p", " %I:%M:%S %p", "T%H:%M:%S")
_ZONED = (*_CLOCKS, " %H:%M:%S %z", " %H:%M:%S %Z", " %H:%M %z")
ORDERS = ("day-first", "month-first", "year-first")


@dataclass(frozen=True)
class Way:
    """A Way is how dates may be written: a name for people, and the patterns of strptime that read it.

    With a `language`, the patterns are of cells in which its months have become English ones; with `tidy`, of
    what that makes of them (`tidy.py`).
    """

    name: str
    patterns: tuple[str, ...]
    language: str | None = None
    tidy: str | None = None

    def sql(self, cell: str) -> str:
        """Returns the SQL of a cell in microseconds since 1970 UTC, NULL where it is not written so."""
        cell = cell if self.language is None else in_english(cell, self.language)
        cell = cell if self.tidy is None else self.tidy.format(cell=cell)
        listed = ", ".join(map(quoted, self.patterns))
        micros = f"epoch_us(try_strptime({cell}, [{listed}]))"
        return f"CASE WHEN {micros} >= {YEAR_1000} THEN {micros} END"


def _numeric() -> list[Way]:
    out = []
    for mark in "/-. ":
        for year in ("%Y", "%y"):
            for name, order in (("day-first", f"%d %m {year}"), ("month-first", f"%m %d {year}")):
                out.append((name, order.replace(" ", mark)))
            if year == "%Y" or mark == "-":
                out.append(("year-first", f"{year} %m %d".replace(" ", mark)))
    out += [("month-first", "%m %d, %Y"), ("day-first", "%d %m, %Y")]  # "02 28, 2014": Amazon's reviews
    return [Way(name, tuple(date + clock for clock in _CLOCKS)) for name, date in out]


def _english() -> list[Way]:
    dates = [
        *("%a %b %d %Y", "%a, %d %b %Y", "%A, %B %d, %Y", "%A, %d %B %Y"),
        *(f"%{m} %d{comma} %Y" for m in "bB" for comma in (",", "")),
        *(f"%d{mark}%{m}{mark}%{y}" for mark in " -/" for m in "bB" for y in "Yy"),
    ]
    ways = [Way("English", tuple(date + clock for clock in _ZONED)) for date in dates]
    # as the C library and Twitter have it: Tue Apr 03 18:00:09 +0000 2012
    clocks = ("%H:%M:%S %z %Y", "%H:%M:%S %Y", "%H:%M:%S %Z %Y")
    return [Way("English", tuple(f"%a %b %d {clock}" for clock in clocks)), *ways]


def _other_tongues() -> list[Way]:
    ways = (("%d %b %Y", "%b %d %Y", "%Y %b %d"), ("%d %b %y", "%b %d %y"))
    patterns = [tuple(date + clock for date in dates for clock in _ZONED) for dates in ways]
    return [Way(language, one, language) for language in MONTHS for one in patterns]


WAYS = (*_english(), *_numeric())


def _tidied() -> list[Way]:
    days = ("%a %b %d %Y", "%a %d %b %Y", "%A %B %d %Y", "%A %d %B %Y", "%B %d %Y", "%d %B %Y")
    english = tuple(day + clock for day in days for clock in _ZONED)
    clocks = [replace(way, tidy=tidy.WORDS_AND_CLOCKS) for way in _numeric() if "%Y" in way.patterns[0]]
    return [
        Way("English", english, tidy=tidy.WORDS_AND_CLOCKS),
        *clocks,
        Way("year-first", ("%Y-%m-%d %H:%M:%S.%f", "%Y-%m-%dT%H:%M:%S.%f"), tidy=tidy.DECIMAL_COMMA),
        Way("as months", ("%Y-%m-%d",), tidy=tidy.MONTHS_ALONE),
        Way("as quarters", ("%Y-%m-%d",), tidy=tidy.QUARTERS),
        Way("as weeks", ("%G-W%V-%u",), tidy=tidy.WEEKS),
        Way("as days of years", ("%Y-%j",), tidy=tidy.DAYS_OF_YEARS),
    ]


#: Ways that are tried where none of those reads every cell.
FURTHER = (*_other_tongues(), *_tidied())


def read_dates(
    opened: Opened, field: Field, *, rule: str, cure: str, order: str | None = None, most_numbers: int = 0
) -> Way | None:
    """Returns the one way in which every cell of a column of text is a date; None where none is.

    Args:
        opened: the loaded table.
        field: the column.
        rule: that holds for its cells, for errors.
        cure: likewise.
        order: one of ORDERS, where the caller said it.
        most_numbers: cells that are numbers; where no more are dates, they are none.

    Raises:
        TableError: a cell that the others' way doesn't read, or cells that two ways read differently.
    """
    ways = [way for way in WAYS if order is None or way.name == order]
    sample = f"(FROM {opened.table} SELECT {field.sql} LIMIT {SAMPLE})"
    n, *fits = opened.one(
        f"FROM {sample} SELECT count(*), {', '.join(f'count({w.sql(field.sql)})' for w in ways)}"
    )
    if max(fits) < n:
        more = [way for way in FURTHER if order is None or way.name == order]
        further = ", ".join(f"count({w.sql(field.sql)})" for w in more)
        ways, fits = [*ways, *more], [*fits, *opened.one(f"FROM {sample} SELECT {further}")]
    if not max(fits):
        return None
    likely = [way for way, n in zip(ways, fits, strict=True) if n and n >= max(fits) / 2]
    counts = opened.one(
        f"FROM {opened.table} SELECT count(*), {', '.join(f'count({w.sql(field.sql)})' for w in likely)}"
    )
    n, found = counts[0], counts[1:]
    if max(found) <= most_numbers:
        return None
    whole = [way for way, fit in zip(likely, found, strict=True) if fit == n]
    if not whole:
        best = likely[max(range(len(likely)), key=found.__getitem__)]
        refuse(opened, field, bad=f"({best.sql(field.sql)}) IS NULL", rule=rule, what="{value}", cure=cure)
    first, *others = whole
    for other in others:
        _refuse_differing(opened, field, first, other)
    return first


def _refuse_differing(opened: Opened, field: Field, one: Way, other: Way) -> None:
    """Raises if two ways read a cell differently."""
    a, b = one.sql(field.sql), other.sql(field.sql)
    n, row = opened.one(f"FROM {opened.table} SELECT count(*), min(rowid) WHERE ({a}) <> ({b})")
    if not n:
        return
    said = "strftime(make_timestamp({}), '%-d %B %Y')".format
    value, first, second = opened.one(
        f"FROM {opened.table} SELECT {field.sql}, {said(a)}, {said(b)} WHERE rowid = {row}"
    )
    patterns = [_pattern(opened, value, way) for way in (one, other)]
    or_so = "" if None in patterns else f", or the pattern {patterns[0]!r} or {patterns[1]!r}"
    more = f", and {n - 1} more like it" if n > 1 else ""
    raise TableError(
        "A date is read in one way",
        f"{value!r} in column {field.name!r}, {opened.where(row)} of {opened.label}{more}, which is {first} "
        f"with the {_first(one)} and {second} with the {_first(other)}; no cell of the column tells which",
        f"Say which: time_format={one.name!r} or {other.name!r}{or_so} (on the command line: --time-format)",
    )


def _first(way: Way) -> str:
    return way.name.replace("-", " ")


def _pattern(opened: Opened, value: str, way: Way) -> str | None:
    """Returns the pattern of a way that reads a cell as it is; None where none does."""
    for pattern in way.patterns:
        if opened.one(f"SELECT try_strptime({quoted(value)}, {quoted(pattern)})")[0] is not None:
            return pattern
    return None
