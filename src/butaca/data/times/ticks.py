"""This module reads times that are numbers: in any unit, as the digits of a date, as Excel's days."""

from __future__ import annotations

from dataclasses import dataclass

from butaca.data.cells.converted import is_text_field
from butaca.data.columns.roles import Field
from butaca.data.formats.opened import Opened
from butaca.data.times.odd import NAMES, YEAR_1995, YEAR_2100
from butaca.errors import TableError

# The largest time tells the unit: seconds reach 1e11 in the year 5138, milliseconds in 1973.
UNITS = ((1e11, 1, "seconds"), (1e14, 10**3, "milliseconds"), (1e17, 10**6, "microseconds"))

NANOSECONDS = (10**9, "nanoseconds")
EXCEL, EXCEL_1970 = "excel", 25_569  # days since 1899-12-30, and the one on which 1970 began
DAYS_NOW = (20_000, 80_000)  # Excel's days of 1954 to 2119
WORDS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
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


@dataclass(frozen=True)
class Span:
    """A Span holds what a column of numbers spans: rows, numbers, the least, the most, fractions."""

    rows: int
    numbers: int
    least: float
    most: float
    fractions: int


def of_numbers(opened: Opened, field: Field, *, as_number: str, span: Span, unit: str | None) -> Moments:
    """Returns how a column of numbers is read.

    Args:
        opened: the loaded table.
        field: the column.
        as_number: the SQL of its numbers.
        span: what they span.
        unit: which they are in, where the caller said it.

    Raises:
        TableError: times in two units.
    """
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
