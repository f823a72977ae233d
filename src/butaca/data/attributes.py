"""This module reads what a table says of users or items: a row per id, each column becoming a feature column.

`feature_columns.py` says what becomes of a column.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from types import MappingProxyType

import duckdb

from butaca.data.bags import Column
from butaca.data.cells.converted import Ids, counted, ids, is_nothing, is_text_field, refuse
from butaca.data.columns.names import Role
from butaca.data.columns.noted import words_for_nothing
from butaca.data.columns.roles import Field, by_name, listed, named
from butaca.data.columns.strays import drop_repeated_names, last_row_sums
from butaca.data.dataset import Entities
from butaca.data.feature_columns import IGNORED, feature_column, is_usable
from butaca.data.formats.opened import Opened
from butaca.data.vocabulary import Vocabulary
from butaca.errors import TableError
from butaca.types import Values


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
    read = [f for f in opened.fields if f == key or is_usable(f)]
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
        if not is_usable(f):
            notes.append(f"{role} feature {f.name!r}: {IGNORED}")
            continue
        column, said = feature_column(opened, f, joined=joined, role=role)
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
