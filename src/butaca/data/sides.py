"""This module reads the tables of users and items that stand beside interactions, and codes the rows."""

from __future__ import annotations

import duckdb
import numpy as np

from butaca.data.attributes import distinct, entities, load_keys, with_positions
from butaca.data.columns.names import Role
from butaca.data.columns.titles import titled
from butaca.data.dataset import Entities
from butaca.data.formats.opened import Opened
from butaca.data.formats.opening import Source, open_table
from butaca.data.formats.written import AS_IT_IS, Reading
from butaca.data.interactions import ReadRows
from butaca.types import Codes


def opened_side(
    con: duckdb.DuckDBPyConnection,
    source: Source,
    *,
    role: Role,
    key: str,
    encoding: str | None = None,
) -> Opened:
    """Opens a table of users or items.

    Args:
        con: where.
        source: the table.
        role: of which.
        key: the name of its id.
        encoding: as in `read_table`.
    """
    reading = Reading(encoding=encoding)
    opened = open_table(con, source, table=f"{role}_table", wanted=[key], reading=reading)
    return with_positions(opened, role, key=key)


def side_of(
    con: duckdb.DuckDBPyConnection,
    rows: ReadRows,
    *,
    role: Role,
    source: Source | None,
    title_column: str | None = None,
    reading: Reading = AS_IT_IS,
) -> tuple[Entities, Codes]:
    """Returns the users or the items, with their table if there is one, and the codes of the rows."""
    found = rows.user if role == "user" else rows.item
    key, coded = rows.choice.fields[role].name, f"{role}_ids"
    parts = [f"FROM {rows.opened.table} SELECT {found.sql} AS v"]
    if source is None:
        vocabulary = distinct(con, coded, parts=parts)
        return Entities(key, vocabulary), codes_of(con, rows.opened, sql=found.sql, coded=coded)
    table = opened_side(con, source, role=role, key=key, encoding=reading.encoding)
    key_field = load_keys(table, role, name=key, is_text=found.is_text, drop_nulls=reading.drop_nulls)
    vocabulary = distinct(con, coded, parts=[*parts, f"FROM {table.table} SELECT {key_field[1].sql} AS v"])
    codes = codes_of(con, rows.opened, sql=found.sql, coded=coded)
    known = len(np.unique(codes))
    entity, notes = entities(
        table, role, name=key, vocabulary=(coded, vocabulary), key=key_field, known=known
    )
    rows.notes.extend([*table.notes, *notes])
    if role == "item":
        entity, said = titled(entity, title_column)
        rows.notes.extend(said)
    return entity, codes


def codes_of(con: duckdb.DuckDBPyConnection, opened: Opened, *, sql: str, coded: str) -> Codes:
    """Returns the code of every loaded row, int32 [n], -1 where the id has none."""
    rows = f"(FROM {opened.table} SELECT rowid AS row, {sql} AS id)"
    with opened.errors():
        found = con.execute(
            f"FROM {rows} LEFT JOIN {coded} ON id = v SELECT coalesce(code, -1)::INTEGER AS code ORDER BY row"
        ).fetchnumpy()["code"]
    codes: Codes = np.asarray(found, dtype=np.int32)
    return codes
