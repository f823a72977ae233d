"""This module makes a feature column of what a column of a table of users or items holds.

| the column holds | it becomes |
|---|---|
| text, categories, UUIDs, dates | str, "" where missing |
| text in which a tenth of the filled cells hold "|" (genres: "Action|Drama") | Bags of str |
| lists written as text: "Action, Drama", "['Action', 'Drama']" (`written_lists.py`) | Bags of str |
| numbers with a currency, "%" or thousands ("$1,250.50", "12 %") | float32, nan where missing |
| dates that are not ISO ("31/05/2014"), where all are written in one way | str, ISO |
| whole numbers | int64; float32 with nan if any is missing |
| real numbers, decimals | float32, nan where missing |
| true and false | bool; float32 with nan if any is missing |
| lists of the above | Bags |
| structures, bytes | ignored, with a note |

In text files a column of which nine in ten filled cells are numbers counts as numbers, and the others are
told, unless one is written with leading zeros ("02139" is a postcode). Missing is: an empty cell, or an id
that the table has no row for.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from butaca.data.bags import Bags, Column
from butaca.data.cells.converted import LARGEST, counted, number, numeric, refuse
from butaca.data.cells.values import written_numbers
from butaca.data.cells.written_cells import dates, marked_numbers
from butaca.data.cells.written_cells import filled as holds_something
from butaca.data.cells.written_lists import split_lists
from butaca.data.columns.names import Role
from butaca.data.columns.roles import Field
from butaca.data.formats.opened import Opened
from butaca.data.times.odd import in_two_units
from butaca.types import Values

NUMERIC = 0.9  # share of filled cells that are numbers from which the others are strays
PIPED = 0.1  # share of filled cells that hold "|" from which a column counts as lists

IGNORED = "ignored, it holds structures or bytes"


def is_usable(field: Field) -> bool:
    """Returns whether a column can become a feature: it holds no structures and no bytes."""
    return field.kind != "other" and not (field.kind == "list" and field.of == "list")


def feature_column(opened: Opened, field: Field, *, joined: str, role: Role) -> tuple[Column | None, str]:
    """Returns one feature column in code order, None for one that is ignored, and what it is.

    Args:
        opened: a table of users or items.
        field: its column.
        joined: the SQL of its rows beside the codes.
        role: user or item.

    Raises:
        TableError: a number that is not finite.
    """
    cell, kind = field.sql, field.kind
    if kind == "list" and field.of == "other":  # [{"id": 1, "name": "Action"}]
        texts = _fetch(opened, joined, f"coalesce(to_json({cell})::VARCHAR, '')").tolist()
        members = split_lists(texts, piped=False)
        return (None, IGNORED) if members is None else (Bags.of(members[0], object), members[1])
    if kind == "list":
        return _bags(opened, joined, f"{cell}::{_MEMBERS[field.of]}[]", field.of), "lists"
    if opened.text is not None or kind == "text":
        as_number = numeric(opened, cell) if opened.text is not None else number(cell)
        year = f"regexp_full_match({cell}, '[(][12][0-9]{{3}}[)]')"
        filled, words, pipes, whole, real, padded, years = opened.one(
            f"FROM {opened.table} SELECT count_if({holds_something(cell)}), "
            f"count_if(NOT {holds_something(cell)} AND trim({cell}) <> ''), count_if(contains({cell}, '|')), "
            f"count_if(regexp_full_match({cell}, '[+-]?[0-9]+') AND TRY_CAST({cell} AS BIGINT) IS NOT NULL), "
            f"count({as_number}), count_if(regexp_matches({cell}, '^[+-]?0[0-9]')), count_if({year}) "
            f"WHERE {cell} <> ''"
        )
        kind = "text"
        if filled and years == filled:
            inside = f"substr({cell}, 2, 4)"
            found = _fetch(opened, joined, f"TRY_CAST({inside} AS DOUBLE)")
            floats = np.ma.filled(found, np.nan).astype(np.float32)
            return (floats if np.isnan(floats).any() else floats.astype(np.int64)), "years in brackets"
        if opened.text is not None and filled and real >= NUMERIC * filled and not padded:
            if real < filled or words:
                return _with_strays(opened, field, joined, as_number, role)
            kind = "whole" if whole == filled else "real"
        elif filled:
            found_lists = split_lists(
                _fetch(opened, joined, f"coalesce({cell}, '')").tolist(),
                piped=bool(pipes and pipes >= PIPED * filled),
            )
            if found_lists is not None:
                return Bags.of(found_lists[0], object), found_lists[1]
            if (marked := marked_numbers(opened, cell)) is not None:
                strays, said = _with_strays(opened, field, joined, marked.sql, role)
                return strays, said.replace("numbers", f"numbers {marked.said}", 1)
            if (written := written_numbers(opened, field, plainly=True)) is not None:
                strays, said = _with_strays(opened, field, joined, written.sql, role)
                return strays, said.replace("numbers", f"numbers, read {written.said}", 1)
            if (days := dates(opened, cell)) is not None:
                return _fetch(opened, joined, f"coalesce({days.sql}, '')"), days.said
        else:
            return _fetch(opened, joined, f"coalesce({cell}, '')"), "empty"
    if kind in {"text", "time"}:
        return _fetch(opened, joined, f"coalesce({cell}::VARCHAR, '')"), "text"
    as_number = numeric(opened, cell) if opened.text is not None else f"{cell}::DOUBLE"
    (n_missing, n_beyond) = opened.one(
        f"{joined} SELECT count_if({as_number} IS NULL), "
        f"count_if({as_number} IS NOT NULL AND TRY_CAST({cell} AS BIGINT) IS NULL)"
    )
    if kind == "whole" and not n_missing and not n_beyond:
        whole = _fetch(opened, joined, f"{cell}::BIGINT").astype(np.int64)
        return whole, f"whole numbers{in_two_units(opened, cell)}"
    if kind == "bool" and not n_missing:
        return _fetch(opened, joined, cell).astype(bool), "true or false"
    _refuse_infinite(opened, field, as_number, role)
    floats = np.ma.filled(_fetch(opened, joined, as_number), np.nan).astype(np.float32)
    return floats, f"numbers, {n_missing} missing" if n_missing else "numbers"


def _with_strays(opened: Opened, field: Field, joined: str, as_number: str, role: Role) -> tuple[Column, str]:
    """Returns a column of numbers among which some cells are none: these are missing, and told."""
    _refuse_infinite(opened, field, as_number, role)
    floats = np.ma.filled(_fetch(opened, joined, as_number), np.nan).astype(np.float32)
    missing = int(np.isnan(floats).sum())
    said = f"numbers, {missing} missing" if missing else "numbers"
    bad = f"{field.sql} <> '' AND ({as_number}) IS NULL"
    n, row = opened.one(f"FROM {opened.table} SELECT count(*), min(rowid) WHERE {bad}")
    if not n:
        return floats, said
    (value,) = opened.one(f"FROM {opened.table} SELECT {field.sql} WHERE rowid = {row}")
    verb = "is" if n == 1 else "are"
    return (
        floats,
        f"{said}: {counted(n, 'cell')} {verb} no number, the first {value!r} in {opened.where(row)}",
    )


def _refuse_infinite(opened: Opened, field: Field, as_number: str, role: Role) -> None:
    """Raises if a number is none that a feature can be."""
    refuse(
        opened,
        field,
        bad=f"abs({as_number}) > {LARGEST!r} AND NOT isnan({as_number})",
        rule=f"A number that describes {role}s is finite",
        what="{value}",
        cure="Correct it, or leave the cell empty",
    )


def _fetch(opened: Opened, joined: str, sql: str) -> Values:
    with opened.errors():
        out: Values = opened.con.execute(f"{joined} SELECT {sql} AS x ORDER BY code").fetchnumpy()["x"]
    return out


def _bags(opened: Opened, joined: str, sql: str, of: str) -> Bags:
    with opened.errors():
        rows = opened.con.execute(f"{joined} SELECT {sql} AS x ORDER BY code").fetchall()
    members = [[v for v in row[0] or () if v is not None] for row in rows]
    return Bags.of(members, _DTYPES[of])


_MEMBERS: Mapping[str, str] = {
    "text": "VARCHAR",
    "whole": "BIGINT",
    "real": "DOUBLE",
    "bool": "BIGINT",
    "time": "VARCHAR",
}
_DTYPES: Mapping[str, type] = {
    "text": object,
    "whole": np.int64,
    "real": np.float32,
    "bool": np.int64,
    "time": object,
}
