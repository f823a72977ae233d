"""This module reads what a table says of users or items: a row per id, each column becoming a feature column.

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

from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType

import duckdb
import numpy as np

from butaca.data.bags import Bags, Column
from butaca.data.cells.converted import (
    LARGEST,
    Ids,
    counted,
    ids,
    is_nothing,
    is_text_field,
    number,
    numeric,
    refuse,
)
from butaca.data.cells.values import written_numbers
from butaca.data.cells.written_cells import dates, marked_numbers
from butaca.data.cells.written_cells import filled as holds_something
from butaca.data.cells.written_lists import split_lists
from butaca.data.columns.names import Role
from butaca.data.columns.noted import words_for_nothing
from butaca.data.columns.roles import Field, by_name, listed, named
from butaca.data.columns.strays import drop_repeated_names, last_row_sums
from butaca.data.dataset import Entities
from butaca.data.formats.opened import Opened
from butaca.data.times.odd import in_two_units
from butaca.data.vocabulary import Vocabulary
from butaca.errors import TableError
from butaca.types import Values

NUMERIC = 0.9  # share of filled cells that are numbers from which the others are strays
PIPED = 0.1  # share of filled cells that hold "|" from which a column counts as lists


def with_positions(opened: Opened, role: Role, *, key: str) -> Opened:
    """Names the columns of a table without a header: the id, and of items the title; says so."""
    if opened.has_names or named(opened.fields, key) is not None:
        return opened
    names = [key, *(["title", "genres"] if role == "item" else [])]
    renamed = [
        replace(f, name=names[i]) if i < len(names) and (i == 0 or f.kind == "text") else f
        for i, f in enumerate(opened.fields)
    ]
    said = ", ".join(f"{f.name} is {n.name!r}" for f, n in zip(opened.fields, renamed, strict=True) if f != n)
    opened.fields = renamed
    opened.notes.append(f"{role}s: {opened.label} has no header line: {said}, by position")
    return opened


def key_of(opened: Opened, role: Role, *, name: str) -> Field:
    """Returns the id column of a table of users or items: the interactions' name, a usual one, or "id"."""
    found = named(opened.fields, name) or by_name(opened.fields, role, label=opened.label, describes=True)
    if found is None:
        raise TableError(
            f"A table of {role}s has an id column, called as in the interactions",
            f"{opened.label} with the columns {listed(opened.fields)}, and {name!r} in the interactions",
            f"Rename its id column to {name!r}",
        )
    return found


def load_keys(
    opened: Opened, role: Role, *, name: str, is_text: bool, drop_nulls: bool = False
) -> tuple[Field, Ids]:
    """Reads a table of users or items; returns its key, of the kind that the interactions have.

    Args:
        opened: the table.
        role: user or item.
        name: the key's name in the interactions.
        is_text: whether its ids are text.
        drop_nulls: leave out rows without an id, also where a word such as NULL says so.

    Raises:
        TableError: no key column, an empty key, a key of another kind, or two rows of one id.
    """
    key = key_of(opened, role, name=name)
    read = [f for f in opened.fields if f == key or _usable(f)]
    opened.load(read)
    opened.notes += [f"{role}s: {opened.label}, {said}" for said in drop_repeated_names(opened, read)]
    if drop_nulls and (n := opened.drop(is_nothing(opened, key))):
        opened.notes.append(f"{role}s: {counted(n, 'row')} of {opened.label} without an id left out")
    elif is_text_field(opened, key):
        opened.notes += [
            f"{role}s: {opened.label}, {said}" for said in words_for_nothing(opened, key, role=role)
        ]
    rule = f"Every row of a table of {role}s has an id"
    found = ids(opened, key, rule=rule)
    converted = Ids(found.as_text(is_text), is_text)
    refuse(
        opened,
        key,
        bad=f"{converted.sql} IS NULL",
        rule=f"Ids are whole numbers here, as those of the {role}s in the interactions",
        what="{value}",
        cure="Correct it, or store the ids of the interactions as text",
    )
    twice = opened.con.execute(
        f"FROM {opened.table} SELECT {converted.sql} AS k, min(rowid), list_sort(list(rowid))[2] "
        "GROUP BY k HAVING count(*) > 1 ORDER BY 2 LIMIT 1"
    ).fetchall()
    for value, first, second in twice:
        raise TableError(
            f"A table of {role}s has one row per id",
            f"{value!r} in column {key.name!r}, {opened.where(first)} and {opened.where(second)} "
            f"of {opened.label}",
            "Remove one of the rows",
        )
    opened.notes += [f"{opened.label}, {said}" for said in last_row_sums(opened, {role: key})]
    return key, converted


def entities(
    opened: Opened,
    role: Role,
    *,
    name: str,
    vocabulary: tuple[str, Vocabulary],
    key: tuple[Field, Ids],
    known: int,
) -> tuple[Entities, list[str]]:
    """Returns users or items with the columns of their table, and the notes about them.

    Args:
        opened: their table, loaded by `load_keys`.
        role: user or item.
        name: the key's name in the interactions.
        vocabulary: the table of (v, code) in DuckDB, and the same as a Vocabulary.
        key: what `load_keys` returned.
        known: how many different ids the interactions have.

    Raises:
        TableError: no id of the interactions has a row; or a number that is not finite.
    """
    coded, ids_ = vocabulary
    field, key_ids = key
    joined = f"FROM {coded} LEFT JOIN (FROM {opened.table} SELECT {key_ids.sql} AS k, *) ON v = k"
    missing, example = opened.one(f"{joined} SELECT count(*), min(v) WHERE k IS NULL")
    if missing == known:
        raise TableError(
            f"A table of {role}s describes the {role}s of the interactions",
            f"{opened.label}, in which column {field.name!r} has none of their {known} ids, "
            f"such as {example!r}",
            f"Check that it is the right table, and that its id column is called {name!r}",
        )
    notes = [f"{role}s: {opened.label}, by its column {field.name!r}"]
    if missing:
        notes.append(
            f"{role}s: {missing} of {known} have no row in {opened.label}; their features are missing"
        )
    if len(ids_) > known:
        notes.append(f"{role}s: {len(ids_) - known} of {len(ids_)} have no interactions")
    columns: dict[str, Column] = {}
    for f in opened.fields:
        if f == field:
            continue
        if not _usable(f):
            notes.append(f"{role} feature {f.name!r}: {IGNORED}")
            continue
        column, said = _feature(opened, f, joined, role)
        if column is not None:
            columns[f.name] = column
        notes.append(f"{role} feature {f.name!r}: {said}")
    return Entities(name, ids_, MappingProxyType(columns)), notes


def distinct(con: duckdb.DuckDBPyConnection, table: str, *, parts: Iterable[str]) -> Vocabulary:
    """Returns the sorted distinct ids of queries of a column `v`, as a DuckDB table and a Vocabulary."""
    union = " UNION ".join(f"({part})" for part in parts)
    con.execute(
        f"CREATE TEMP TABLE {table} AS FROM (FROM ({union}) SELECT DISTINCT v) "
        "SELECT v, (row_number() OVER (ORDER BY v) - 1)::INTEGER AS code"
    )
    values: Values = con.execute(f"FROM {table} SELECT v ORDER BY code").fetchnumpy()["v"]
    return Vocabulary(values)


IGNORED = "ignored, it holds structures or bytes"


def _usable(field: Field) -> bool:
    return field.kind != "other" and not (field.kind == "list" and field.of == "list")


def _feature(opened: Opened, field: Field, joined: str, role: Role) -> tuple[Column | None, str]:
    """Returns one feature column in code order, None for one that is ignored, and what it is."""
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
