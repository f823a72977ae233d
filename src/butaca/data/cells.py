"""This module turns cells into ids, numbers and times, and first refuses, by row, what can't be converted.

Every error says how many cells are wrong and where the first of them is: the line of a text file, with
the header as line 1, or the row of any other table, counting from 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from butaca.data.columns import Field
from butaca.data.opened import Opened
from butaca.errors import TableError
from butaca.types import Floats, Times, Values

LARGEST = float(np.finfo(np.float32).max)
EXACT = 2**53  # beyond it a real number no longer holds every whole one
# The largest time tells the unit: seconds reach 1e11 in the year 5138, milliseconds in 1973.
UNITS = ((1e11, 1, "seconds"), (1e14, 10**3, "milliseconds"), (1e17, 10**6, "microseconds"))
NANOSECONDS = (10**9, "nanoseconds")
ZONE = r"\d:\d\d.*(Z|[+-]\d\d(:?\d\d)?|[A-Za-z]+(/\w+)?)$"


@dataclass(frozen=True)
class Ids:
    """Holds an id column ready for queries: `sql` is VARCHAR where `is_text`, else BIGINT."""

    sql: str
    is_text: bool

    def as_text(self, wanted: bool) -> str:
        """Returns the column as text or, where a text is a whole number, as that number; else NULL."""
        if wanted == self.is_text:
            return self.sql
        if wanted:
            return f"{self.sql}::VARCHAR"
        return (
            f"CASE WHEN regexp_full_match({self.sql}, '[+-]?[0-9]+') THEN TRY_CAST({self.sql} AS BIGINT) END"
        )


def counted(n: int, noun: str) -> str:
    """Returns a number of things: "1 row", "2 rows"."""
    return f"{n} {noun}{'s' if n != 1 else ''}"


def column(opened: Opened, sql: str) -> Values:
    """Returns one expression over the loaded table, [n] in the order of its rows."""
    with opened.errors():
        out: Values = opened.con.execute(f"FROM {opened.table} SELECT {sql} AS x").fetchnumpy()["x"]
    assert not np.ma.is_masked(out), "nulls are refused before"
    return out


def refuse(opened: Opened, field: Field, *, bad: str, rule: str, what: str, cure: str) -> None:
    """Raises if a condition holds in any row, naming the first.

    Args:
        opened: the loaded table.
        field: the column looked at.
        bad: SQL, true where a cell is wrong.
        rule: what must hold.
        what: what a wrong cell is; "{value}" stands for its content.
        cure: what to do.
    """
    count, row = opened.one(f"FROM {opened.table} SELECT count(*), min(rowid) WHERE {bad}")
    if not count:
        return
    (value,) = opened.one(f"FROM {opened.table} SELECT {field.sql}::VARCHAR WHERE rowid = {row}")
    more = f", and {count - 1} more like it" if count > 1 else ""
    found = what.replace("{value}", repr(value))
    raise TableError(
        rule, f"{found} in column {field.name!r}, {opened.where(row)} of {opened.label}{more}", cure
    )


def ids(opened: Opened, field: Field, *, rule: str) -> Ids:
    """Returns an id column: text, or whole numbers; real numbers that are all whole count as such.

    Raises:
        TableError: an empty cell, a fraction, a number beyond 64 bits, or a column of another kind.
    """
    if field.kind not in {"text", "whole", "real"} and opened.text is None:
        raise TableError(
            "Ids are text or whole numbers",
            f"column {field.name!r} of {opened.label}, which holds {_KINDS[field.kind]}",
            "Convert it to text, or name another column",
        )
    cell = field.sql
    is_text = field.kind == "text" or opened.text is not None
    empty = f"({cell} IS NULL" + (f" OR trim({cell}) = '')" if is_text else ")")
    if field.kind == "real" and not is_text:
        empty = f"({cell} IS NULL OR isnan({cell}))"
    refuse(opened, field, bad=empty, rule=rule, what="an empty cell", cure="Fill it in, or remove the row")
    if is_text:
        return Ids(cell, True)
    if field.kind == "real":
        broken = f"{cell} <> floor({cell}) OR abs({cell}) > {EXACT}"
        refuse(
            opened,
            field,
            bad=broken,
            rule="Ids are text or whole numbers",
            what="{value}",
            cure="Write the ids as text or as integers",
        )
    beyond = f"TRY_CAST({cell} AS BIGINT) IS NULL"
    refuse(
        opened,
        field,
        bad=beyond,
        rule="Whole numbers fit in 64 bits",
        what="{value}",
        cure="Write these ids as text",
    )
    return Ids(f"{cell}::BIGINT", False)


def numbers(opened: Opened, field: Field) -> Floats:
    """Returns ratings or weights, float32 [n]: any finite numbers; true and false are 1 and 0.

    Raises:
        TableError: an empty cell, text that is not a number, or one that is not finite.
    """
    rule = "Every interaction has a value, a finite number"
    cure = (
        "Correct it, remove the row, or read the table without values: value_column='' or --value-column ''"
    )
    cell = field.sql
    _refuse_empty(opened, field, rule, cure)
    as_number = number(cell) if _is_text(opened, field) else f"{cell}::DOUBLE"
    refuse(
        opened,
        field,
        bad=f"(abs({as_number}) <= {LARGEST!r}) IS NOT TRUE",
        rule=rule,
        what="{value}",
        cure=cure,
    )
    out: Floats = np.asarray(column(opened, as_number), dtype=np.float32)
    return out


def number(cell: str) -> str:
    """Returns the SQL of a text as a real number, NULL where it is none (DuckDB would take "1_000")."""
    return f"CASE WHEN NOT contains({cell}, '_') THEN TRY_CAST({cell} AS DOUBLE) END"


def seconds(opened: Opened, field: Field) -> tuple[Times, str]:
    """Returns times as whole seconds since 1970 UTC, int64 [n], and how they were written.

    Numbers count seconds, or milli-, micro- or nanoseconds, told by the largest of them; 20240531 is a
    date. Dates and times are ISO 8601; those without a zone are UTC. Fractions are cut towards the past.

    Raises:
        TableError: an empty cell, or one that is no time.
    """
    rule = "Every interaction has a time: a number of seconds since 1970, or an ISO date and time"
    cure = (
        "Write it as 1717180200 or 2024-05-31T18:30:00Z, remove the row, or read the table without times: "
        "time_column='' or --time-column ''"
    )
    cell, is_text = field.sql, _is_text(opened, field)
    _refuse_empty(opened, field, rule, cure)
    if not is_text and field.kind == "time":
        refuse(opened, field, bad=f"NOT isfinite({cell})", rule=rule, what="{value}", cure=cure)
        zoneless = f"typeof({cell}) <> 'TIMESTAMP WITH TIME ZONE'"
        return _from_micros(column(opened, f"epoch_us({cell})")), _zone_note(opened, zoneless)
    as_number = number(cell) if is_text else cell
    moment = f"TRY_CAST({cell} AS TIMESTAMPTZ)"
    n, n_numbers = opened.one(f"FROM {opened.table} SELECT count(*), count({as_number})")
    if n_numbers < n and opened.one(f"FROM {opened.table} SELECT count({moment})")[0] > n_numbers:
        refuse(opened, field, bad=f"epoch_us({moment}) IS NULL", rule=rule, what="{value}", cure=cure)
        zoneless = f"NOT regexp_matches({cell}, '{ZONE}')"
        return _from_micros(column(opened, f"epoch_us({moment})")), _zone_note(opened, zoneless)
    refuse(opened, field, bad=f"(abs({as_number}) < 9e18) IS NOT TRUE", rule=rule, what="{value}", cure=cure)
    return _from_numbers(opened, cell, as_number)


def _from_numbers(opened: Opened, cell: str, as_number: str) -> tuple[Times, str]:
    raw = column(opened, as_number)
    if raw.min() >= 19000101 and raw.max() <= 21001231:  # as seconds, three weeks of 1970
        day = f"try_strptime({cell}::VARCHAR, '%Y%m%d')"
        if opened.one(f"FROM {opened.table} SELECT bool_and({day} IS NOT NULL)")[0]:
            return _from_micros(column(opened, f"epoch_us({day})")), ", dates as yyyymmdd, taken as UTC"
    largest = np.abs(raw).max()
    scale, unit = next(((scale, unit) for limit, scale, unit in UNITS if largest < limit), NANOSECONDS)
    return np.floor_divide(raw, scale).astype(np.int64), f", {unit} since 1970"


def _from_micros(micros: Values) -> Times:
    out: Times = np.floor_divide(np.asarray(micros, dtype=np.int64), 10**6)
    return out


def _zone_note(opened: Opened, zoneless: str) -> str:
    (n,) = opened.one(f"FROM {opened.table} SELECT count(*) WHERE {zoneless}")
    return ", dates and times" + (", those without a zone taken as UTC" if n else "")


def _is_text(opened: Opened, field: Field) -> bool:
    return opened.text is not None or field.kind == "text"


def _refuse_empty(opened: Opened, field: Field, rule: str, cure: str) -> None:
    cell = field.sql
    blank = f" OR trim({cell}) = ''" if _is_text(opened, field) else ""
    refuse(opened, field, bad=f"{cell} IS NULL{blank}", rule=rule, what="an empty cell", cure=cure)


_KINDS: dict[Any, str] = {
    "bool": "true and false",
    "time": "dates or times",
    "list": "lists",
    "other": "structures or bytes",
}
