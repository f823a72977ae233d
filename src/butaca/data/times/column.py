"""This module reads a column of times: numbers in any unit, ISO, dates as people write them.

What a column is, is decided by all of its cells (`how_written`), and its times keep the resolution that
they were given in. A time is seconds since 1970 UTC: whole ones are int64; where any has a fraction all are
float64, whose order is that of the source even where two are nearer than float64 tells apart.
"""

from __future__ import annotations

import time

import numpy as np

from butaca.data.cells.converted import column, is_text_field, number, refuse, refuse_empty
from butaca.data.columns.roles import Field
from butaca.data.formats.opened import Opened, quoted
from butaca.data.times.dates import ORDERS, read_dates
from butaca.data.times.odd import DAY, YEAR_1995, odd, range_of
from butaca.data.times.ticks import EXCEL, WORDS, Moments, Span, of_numbers
from butaca.errors import SettingError
from butaca.types import Ints, Times

RULE = "Every interaction has a time: a number of seconds since 1970, or a date and time"
CURE = (
    "Write it as 1717180200 or 2024-05-31T18:30:00Z, say how it is written (time_format= or --time-format), "
    "remove the row, or read the table without times: time_column='' or --time-column ''"
)
ZONE = r"\d:\d\d.*(Z|[+-]\d\d(:?\d\d)?|[A-Za-z]+(/\w+)?)$"


def read_times(opened: Opened, field: Field, *, time_format: str | None = None) -> tuple[Times, str]:
    """Returns times as seconds since 1970 UTC, [n], and how they were written, with the range they span.

    Args:
        opened: the loaded table.
        field: the column.
        time_format: how it is written, if its cells do not tell (`how_written`).

    Raises:
        TableError: an empty cell, one that is no time, times in two units, or dates that can be read in two
            ways.
    """
    moments = how_written(opened, field, time_format=time_format)
    ticks = np.asarray(column(opened, moments.sql), dtype=np.int64)
    return in_seconds(ticks, moments.per_second), f", {moments.said}{_range(opened, ticks, moments)}"


def in_seconds(ticks: Ints, per_second: int) -> Times:
    """Returns ticks as seconds: whole ones as int64; else float64, in the order of the ticks.

    >>> in_seconds(np.array([1500, 2000]), 1000).tolist(), in_seconds(np.array([1000]), 1000).tolist()
    ([1.5, 2.0], [1])
    """
    if per_second == 1:
        return ticks
    whole, rest = np.divmod(ticks, per_second)
    if not rest.any():
        return whole
    exact = np.abs(ticks).max() < 2**53
    out: Times = ticks / per_second if exact else whole + rest / per_second
    if per_second <= 10**6 or not (ticks > 0).all():  # float64 tells microseconds apart until 2106
        return out
    moments, at = np.unique(ticks, return_inverse=True)
    own = np.empty(len(moments))
    own[at] = out
    place = np.arange(len(own))
    bits = np.maximum.accumulate(own.view(np.int64) - place) + place  # later moments are later numbers
    return bits.view(np.float64)[at]


def how_written(opened: Opened, field: Field, *, time_format: str | None = None) -> Moments:
    """Decides how a column of times is read, by all of its cells.

    Args:
        opened: the loaded table.
        field: the column.
        time_format: a pattern of strptime ("%d/%m/%Y %H:%M"), a unit ("s", "ms", "us", "ns", "excel") or an
            order ("day-first", "month-first", "year-first"); None lets the cells tell.

    Raises:
        TableError: an empty cell, one that is no time, times in two units, or dates that can be read in two
            ways.
        SettingError: a time_format that is none.
    """
    cell, is_text = field.sql, is_text_field(opened, field)
    as_number = number(cell) if is_text else cell
    if (is_text or field.kind != "time") and time_format in {None, EXCEL, *WORDS}:
        span = Span(
            *opened.one(
                f"FROM {opened.table} SELECT count(*), count({as_number}), min({as_number}), "
                f"max({as_number}), count_if({as_number} <> floor({as_number}))"
            )
        )
        if span.numbers == span.rows and span.least > -9e18 and span.most < 9e18:
            return of_numbers(opened, field, as_number=as_number, span=span, unit=time_format)
    refuse_empty(opened, field, rule=RULE, cure=CURE)
    if not is_text and field.kind == "time":
        return _of_type(opened, field)
    if time_format and time_format not in {EXCEL, *WORDS, *ORDERS}:
        return _by_pattern(opened, field, time_format)
    if is_text and time_format not in {EXCEL, *WORDS}:
        (n_numbers,) = opened.one(f"FROM {opened.table} SELECT count({as_number})")
        found = _of_text(opened, field, n_numbers, time_format)
        if found is not None:
            return found
    refuse(opened, field, bad=f"(abs({as_number}) < 9e18) IS NOT TRUE", rule=RULE, what="{value}", cure=CURE)
    raise AssertionError("what is no number has been refused")


def _of_type(opened: Opened, field: Field) -> Moments:
    cell = field.sql
    refuse(opened, field, bad=f"NOT isfinite({cell})", rule=RULE, what="{value}", cure=CURE)
    kind = opened.one(f"FROM {opened.table} SELECT typeof({cell}) LIMIT 1")[0]
    said = "dates and times" + ("" if kind == "TIMESTAMP WITH TIME ZONE" else ZONELESS)
    if kind == "TIMESTAMP_NS":
        return Moments(f"epoch_ns({cell})", 10**9, said)
    return Moments(f"epoch_us({cell})", 10**6, said)


ZONELESS = ", those without a zone taken as UTC"


def _by_pattern(opened: Opened, field: Field, pattern: str) -> Moments:
    sql = f"epoch_us(try_strptime({field.sql}::VARCHAR, {quoted(pattern)}))"
    if "%" not in pattern or not _is_pattern(opened, pattern):
        raise SettingError(
            "A time format is a pattern of strptime, a unit or an order of dates",
            repr(pattern),
            f"Pass one such as '%d/%m/%Y %H:%M', or one of {', '.join([*WORDS, EXCEL, *ORDERS])} "
            "(time_format=, on the command line: --time-format)",
        )
    refuse(
        opened,
        field,
        bad=f"{sql} IS NULL",
        rule=f"Every time is written as the format says, {pattern}",
        what="{value}",
        cure="Correct the cell, or the format (time_format=, on the command line: --time-format)",
    )
    zoneless = "" if "%z" in pattern.lower() else ", taken as UTC"
    return Moments(sql, 10**6, f"dates and times as {pattern}{zoneless}")


def _is_pattern(opened: Opened, pattern: str) -> bool:
    try:
        opened.con.execute(f"SELECT try_strptime('', {quoted(pattern)})").fetchall()
    except Exception:
        return False
    return True


def _of_text(opened: Opened, field: Field, n_numbers: int, order: str | None) -> Moments | None:
    """Returns how text that is not all numbers is read, None where most of it is numbers."""
    cell = field.sql
    moment = f"TRY_CAST({cell} AS TIMESTAMPTZ)"
    fits, least = opened.one(f"FROM {opened.table} SELECT count({moment}), min({moment}) < '1000-01-01'")
    if order is None and fits > n_numbers and not least:
        refuse(opened, field, bad=f"epoch_us({moment}) IS NULL", rule=RULE, what="{value}", cure=CURE)
        zoneless, fine = opened.one(
            f"FROM {opened.table} SELECT count_if(NOT regexp_matches({cell}, '{ZONE}')), "
            f"count_if(regexp_matches({cell}, '[.]\\d{{7,}}'))"
        )
        said = "dates and times" + (ZONELESS if zoneless else "")
        if fine:  # nanoseconds, which TIMESTAMPTZ has not
            more = f"TRY_CAST(rpad(regexp_extract({cell}, '[.]\\d{{6}}(\\d{{1,3}})', 1), 3, '0') AS BIGINT)"
            return Moments(f"epoch_us({moment}) * 1000 + {more}", 10**9, said)
        return Moments(f"epoch_us({moment})", 10**6, said)
    way = read_dates(opened, field, rule=RULE, cure=CURE, order=order, most_numbers=n_numbers)
    if way is None:
        if order is not None:
            refuse(opened, field, bad="true", rule=f"Dates are written {order}", what="{value}", cure=CURE)
        return None
    return Moments(way.sql(cell), 10**6, f"dates written {way.name.replace('-', ' ')}{ZONELESS}")


def _range(opened: Opened, ticks: Ints, moments: Moments) -> str:
    """Returns the dates that the times span, with what is odd about them."""
    per = moments.per_second
    least, most = int(ticks.min()), int(ticks.max())
    first, last = least // per, most // per
    tomorrow = int(time.time()) + DAY
    said = range_of(first, last)
    for strange, words in (
        (ticks < YEAR_1995 * per if least < YEAR_1995 * per else None, "before 1995"),
        (ticks // per > tomorrow if last > tomorrow else None, "in the future"),
    ):
        if strange is not None:
            where = opened.where(int(np.argmax(strange)))
            said += f"; {odd(int(strange.sum()), len(ticks), words=words, where=where)}"
    return said
