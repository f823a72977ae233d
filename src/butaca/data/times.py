"""This module reads a column of times: numbers in any unit, ISO, dates as people write them.

What a column is, is decided by all of its cells (`how_written`), and its times keep the resolution that
they were given in. A time is seconds since 1970 UTC: whole ones are int64; where any has a fraction all are
float64, whose order is that of the source even where two are nearer than float64 tells apart.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from butaca.data.cells import column, is_text_field, number, refuse, refuse_empty
from butaca.data.columns import Field
from butaca.data.dates import ORDERS, read_dates
from butaca.data.odd_times import DAY, NAMES, YEAR_1995, YEAR_2100, odd, range_of
from butaca.data.opened import Opened, quoted
from butaca.errors import SettingError, TableError
from butaca.types import Ints, Times

RULE = "Every interaction has a time: a number of seconds since 1970, or a date and time"
CURE = (
    "Write it as 1717180200 or 2024-05-31T18:30:00Z, say how it is written (time_format= or --time-format), "
    "remove the row, or read the table without times: time_column='' or --time-column ''"
)
# The largest time tells the unit: seconds reach 1e11 in the year 5138, milliseconds in 1973.
UNITS = ((1e11, 1, "seconds"), (1e14, 10**3, "milliseconds"), (1e17, 10**6, "microseconds"))
NANOSECONDS = (10**9, "nanoseconds")
EXCEL, EXCEL_1970 = "excel", 25_569  # days since 1899-12-30, and the one on which 1970 began
DAYS_NOW = (20_000, 80_000)  # Excel's days of 1954 to 2119
WORDS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
ZONE = r"\d:\d\d.*(Z|[+-]\d\d(:?\d\d)?|[A-Za-z]+(/\w+)?)$"
# Digits that are a date: their number, the least and the largest, how strptime reads them, how people do.
DIGITS = (
    (19000101, 21001231, "%Y%m%d", "dates as yyyymmdd"),
    (190001010000, 210012312359, "%Y%m%d%H%M", "dates and times as yyyymmddhhmm"),
    (19000101000000, 21001231235959, "%Y%m%d%H%M%S", "dates and times as yyyymmddhhmmss"),
    (19000101000000000, 21001231235959999, "%Y%m%d%H%M%S%g", "dates and times as yyyymmddhhmmss"),
)


@dataclass(frozen=True)
class Moments:
    """A Moments says how a column of times is read.

    Attributes:
        sql: whole ticks since 1970 UTC, BIGINT, of a cell.
        per_second: ticks in a second.
        said: how the times were written, such as "seconds since 1970".
    """

    sql: str
    per_second: int
    said: str

    @property
    def seconds(self) -> str:
        """Returns the SQL of whole seconds, cut towards the past."""
        return floored(self.sql, self.per_second)

    @property
    def nanoseconds(self) -> str:
        """Returns the SQL of what is left of a second, in nanoseconds."""
        if self.per_second == 1:
            return "0"
        return f"(({self.sql}) - {self.seconds} * {self.per_second}) * {10**9 // self.per_second}"


def floored(sql: str, scale: int) -> str:
    """Returns SQL that divides towards the past, exact for whole numbers."""
    whole = f"({sql})::BIGINT"
    return whole if scale == 1 else f"({whole} // {scale} - ({whole} % {scale} < 0)::BIGINT)"


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
        span = _Span(
            *opened.one(
                f"FROM {opened.table} SELECT count(*), count({as_number}), min({as_number}), "
                f"max({as_number}), count_if({as_number} <> floor({as_number}))"
            )
        )
        if span.numbers == span.rows and span.least > -9e18 and span.most < 9e18:
            return _of_numbers(opened, field, as_number, span, time_format)
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


@dataclass(frozen=True)
class _Span:
    """A _Span holds what a column of numbers spans: rows, numbers, the least, the most, fractions."""

    rows: int
    numbers: int
    least: float
    most: float
    fractions: int


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


def _of_numbers(opened: Opened, field: Field, as_number: str, span: _Span, unit: str | None) -> Moments:
    cell, is_text = field.sql, is_text_field(opened, field)
    largest = max(abs(span.least), abs(span.most))
    for low, high, pattern, said in DIGITS if unit is None else ():
        if low <= span.least and span.most <= high:  # as seconds, three weeks of 1970
            micros = f"epoch_us(try_strptime({cell}::VARCHAR, '{pattern}'))"
            if opened.one(f"FROM {opened.table} SELECT bool_and({micros} IS NOT NULL)")[0]:
                return Moments(micros, 10**6, f"{said}, taken as UTC")
    if unit == EXCEL:
        return Moments(
            f"round(({as_number} - {EXCEL_1970}) * 86400)::BIGINT", 1, "Excel's days, taken as UTC"
        )
    scale, name = next(((scale, name) for limit, scale, name in UNITS if largest < limit), NANOSECONDS)
    if unit is not None:
        scale, name = WORDS[unit], NAMES[WORDS[unit]]
    else:
        _refuse_mixed(opened, field, as_number, scale)
    said = f"{name} since 1970"
    if unit is None and DAYS_NOW[0] <= span.least and span.most <= DAYS_NOW[1]:
        said += f", unless they are Excel's days: time_format={EXCEL!r} or --time-format {EXCEL}"
    if not span.fractions:
        whole = f"TRY_CAST({cell} AS BIGINT)" if is_text and largest < 2**63 else f"{as_number}::BIGINT"
        return Moments(whole, scale, said)
    finer = max(scale, 10**6)
    return Moments(f"floor(({as_number})::DOUBLE * {finer // scale} + 1e-3)::BIGINT", finer, said)


def _refuse_mixed(opened: Opened, field: Field, as_number: str, scale: int) -> None:
    """Raises if cells lie in 1970 in the unit of the largest, and on days like ours in a coarser one."""

    def first(least: int, most: int) -> tuple[int, str, str]:
        """Returns how many cells lie between, the first of them, and where it is."""
        inside = f"abs({as_number}) BETWEEN {least} AND {most}"
        n, row = opened.one(f"FROM {opened.table} SELECT count(*), min(rowid) WHERE {inside}")
        if not n:
            return 0, "", ""
        (cell,) = opened.one(f"FROM {opened.table} SELECT {field.sql}::VARCHAR WHERE rowid = {row}")
        return n, repr(cell), opened.where(row)

    for other in (s for s in NAMES if s < scale):
        n, cell, where = first(YEAR_1995 * other, YEAR_2100 * other)
        n_finer, finer, beside = first(YEAR_1995 * scale, 9 * 10**18) if n else (0, "", "")
        if not n_finer:
            continue
        more = f", and {n - 1} more like it" if n > 1 else ""
        raise TableError(
            "The times of a column are in one unit",
            f"{cell} in column {field.name!r}, {where} of {opened.label}{more}, which looks like "
            f"{NAMES[other]} since 1970, beside {finer} in {beside}, which looks like {NAMES[scale]}",
            f"Write them in one unit, or say which all are in: time_format={_word(other)!r} or "
            f"{_word(scale)!r} (on the command line: --time-format)",
        )


def _word(scale: int) -> str:
    return next(word for word, per_second in WORDS.items() if per_second == scale)


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
