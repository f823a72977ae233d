"""This module reads cells of text that people write for numbers and dates: "$1,250.50", "12 %", "31/05/2014".

A column is read so where nine in ten of its filled cells are, in one way: with one currency, in one order of
day and month.
"""

from __future__ import annotations

from dataclasses import dataclass

from butaca.data.cells.converted import NOTHING
from butaca.data.formats.opened import Opened, quoted
from butaca.data.times.dates import FURTHER, SAMPLE, WAYS, Way

#: Share of the filled cells that a column is read by.
MOST = 0.9

_MARK = r"(?:[€$£¥₹%]|EUR|USD|GBP)"
_POINTS = r"[+-]?(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:[.][0-9]+)?"
_COMMAS = r"[+-]?(?:[0-9]{1,3}(?:[.][0-9]{3})+|[0-9]+)(?:,[0-9]+)?"
_LIKE_DATES = (
    r"^([0-9]{1,4}[-/. ][0-9]{1,2}[-/. ][0-9]{2,4}|[0-9]{1,2}[ /-][A-Za-z]{3}|[A-Za-z]{3,9},? [0-9A-Z])"
)


@dataclass(frozen=True)
class Written:
    """A Written says how a column of text is read.

    Attributes:
        sql: of a cell: a number, or a date as ISO text; NULL where it is none.
        said: how it is written.
        scale: what its numbers are of, such as "%" or "out of 5"; "" where they are as they stand.
    """

    sql: str
    said: str
    scale: str = ""


def filled(cell: str) -> str:
    """Returns the SQL that holds where a cell holds something: it is not empty, nor a word for nothing."""
    words = ", ".join(quoted(word) for word in ("", *NOTHING))
    return f"({cell} IS NOT NULL AND trim({cell}) NOT IN ({words}))"


def marked_numbers(opened: Opened, cell: str) -> Written | None:
    """Returns how a column of numbers with a currency, a percent sign or thousands is read; None if it isn't.

    Args:
        opened: the loaded table.
        cell: a column of text.
    """
    trimmed = f"trim({cell})"

    def styled(style: str) -> str:
        return f"regexp_full_match({trimmed}, '{_MARK}? ?{style} ?{_MARK}?')"

    mark = f"regexp_extract({trimmed}, '{_MARK}')"
    n, points, commas, marks, a_mark, plain = opened.one(
        f"FROM {opened.table} SELECT count(*), count_if({styled(_POINTS)}), count_if({styled(_COMMAS)}), "
        f"count(DISTINCT {mark}) FILTER ({styled(_POINTS)} OR {styled(_COMMAS)}), max({mark}), "
        f"count_if(NOT regexp_matches({trimmed}, '[,.]')) WHERE {filled(cell)}"
    )
    if not n or max(points, commas) < MOST * n or marks > 1 or (plain == n and not a_mark):
        return None
    if points == commas and plain < n:  # "$1,250" and "1.250 €": three digits tell nothing
        return None
    by_comma = commas > points
    digits = f"regexp_extract({trimmed}, '{_COMMAS if by_comma else _POINTS}')"
    clean = f"replace(replace({digits}, '.', ''), ',', '.')" if by_comma else f"replace({digits}, ',', '')"
    sql = f"CASE WHEN {styled(_COMMAS if by_comma else _POINTS)} THEN TRY_CAST({clean} AS DOUBLE) END"
    return Written(sql, f"with {a_mark!r}" if a_mark else "with thousands apart", a_mark or "")


def dates(opened: Opened, cell: str) -> Written | None:
    """Returns how a column of dates that are not ISO is read; None where it holds none, or tells no one way.

    Args:
        opened: the loaded table.
        cell: a column of text.
    """
    where = f"WHERE {filled(cell)}"
    sample = f"(FROM {opened.table} SELECT {cell} {where} LIMIT {SAMPLE})"
    n, like, iso = opened.one(
        f"FROM {sample} SELECT count(*), count_if(regexp_matches({cell}, '{_LIKE_DATES}')), "
        f"count_if(regexp_matches({cell}, '^[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}'))"
    )
    if not n or like < MOST * n or iso == n:
        return None
    fits = opened.one(f"FROM {sample} SELECT {', '.join(f'count({way.sql(cell)})' for way in WAYS)}")
    likely = [way for way, k in zip(WAYS, fits, strict=True) if k == n]
    if not likely:
        fits = opened.one(f"FROM {sample} SELECT {', '.join(f'count({way.sql(cell)})' for way in FURTHER)}")
        likely = [way for way, k in zip(FURTHER, fits, strict=True) if k == n]
    if not likely:
        return None
    n, *found = opened.one(
        f"FROM {opened.table} SELECT count(*), {', '.join(f'count({w.sql(cell)})' for w in likely)} {where}"
    )
    whole = [way for way, k in zip(likely, found, strict=True) if k == n]
    if not whole or any(_differs(opened, cell, whole[0], other) for other in whole[1:]):
        return None
    micros = whole[0].sql(cell)
    (midnight,) = opened.one(f"FROM {opened.table} SELECT bool_and(({micros}) % 86400000000 = 0) {where}")
    form = "%Y-%m-%d" if midnight else "%Y-%m-%d %H:%M:%S"
    name = whole[0].name.replace("-", " ")
    return Written(f"strftime(make_timestamp({micros}), '{form}')", f"dates, written {name}")


def _differs(opened: Opened, cell: str, one: Way, other: Way) -> bool:
    """Says whether two ways read a cell differently."""
    differ = f"({one.sql(cell)}) <> ({other.sql(cell)})"
    return bool(opened.one(f"FROM {opened.table} SELECT count_if({differ})")[0])
