"""This module gives the ids of users or items their codes, and writes the table of what is known of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import duckdb
import numpy as np

from butaca.data.attributes import distinct, entities, load_keys
from butaca.data.bags import Bags
from butaca.data.columns.names import Role
from butaca.data.columns.titles import titled
from butaca.data.dataset import Entities
from butaca.data.formats.opened import quoted
from butaca.data.formats.written import Reading
from butaca.data.sides import opened_side
from butaca.errors import TableError
from butaca.scale.reading import Budget, spilling
from butaca.types import Values

#: What a column of lists holds, by the kind of its values.
MEMBERS = {"O": "VARCHAR", "U": "VARCHAR", "i": "BIGINT", "u": "BIGINT", "f": "FLOAT", "b": "BOOLEAN"}


def write_ids(
    role: Role,
    key: str,
    *,
    is_text: bool,
    met: Sequence[Path],
    work: Path,
    out: Path,
    table: str | None,
    title: str | None,
    reading: Reading,
    budget: Budget,
) -> list[str]:
    """Writes work/<role>s.parquet (v, code) and out/<role>s.parquet, a row per code: the id, its features.

    A code is the rank of an id among all of the interactions (the files `met`) and the table. Codes, features
    and the notes that are returned are as in `data.tables`.

    Args:
        role: users or items.
        key: the name of the id.
        is_text: whether ids are text.
        met: files of the ids that the interactions have.
        work: the work folder.
        out: where the result goes.
        table: what is known of them, or None.
        title: its column of titles, None to find it.
        reading: how it is written, and whether rows without an id are left out.
        budget: of DuckDB.

    Raises:
        TableError: a table with a wrong or repeated id, or without any id of the interactions; or
            interactions of one user or item only.
    """
    coded, features = work / f"{role}s.parquet", out / f"{role}s.parquet"
    with spilling(budget) as con:
        files = ", ".join(quoted(str(path)) for path in met)
        con.execute(f"CREATE TEMP TABLE met AS FROM read_parquet([{files}]) SELECT DISTINCT v")
        known: int = con.execute("FROM met SELECT count(*)").fetchall()[0][0]
        if known < 2:
            raise TableError(
                "A recommender learns from at least two users and two items",
                f"interactions whose column {key!r} holds one value only",
                "Give more interactions, or check that it is the right column",
            )
        if table is None:
            ranks = "(row_number() OVER (ORDER BY v) - 1)::INTEGER AS code"
            con.execute(f"CREATE TEMP TABLE codes AS FROM met SELECT v, {ranks}")
            con.execute("SET threads = 1")  # the order of row groups
            _copy(con, "FROM codes ORDER BY code", coded)
            _copy(con, f"FROM codes SELECT v AS {_name(key)} ORDER BY code", features)
            return []
        opened = opened_side(con, table, role=role, key=key, encoding=reading.encoding)
        field = load_keys(opened, role, name=key, is_text=is_text, drop_nulls=reading.drop_nulls)
        parts = ["FROM met", f"FROM {opened.table} SELECT {field[1].sql} AS v"]
        coding = ("codes", distinct(con, "codes", parts=parts))
        entity, notes = entities(opened, role, name=key, vocabulary=coding, key=field, known=known)
        notes = [*opened.notes, *notes]
        if role == "item":
            entity, said = titled(entity, title)
            notes += said
        con.execute("SET threads = 1")
        _copy(con, "FROM codes ORDER BY code", coded)
        _write(con, entity, features)
    return notes


def _write(con: duckdb.DuckDBPyConnection, entity: Entities, target: Path) -> None:
    """Writes entities as a table: the id, then every column, lists as lists."""
    code = np.arange(len(entity), dtype=np.int32)
    columns: dict[str, Values] = {"code": code}
    selected, joined = [f"codes.v AS {_name(entity.key)}"], "FROM codes JOIN plain USING (code)"
    for n, (name, column) in enumerate(entity.columns.items()):
        if name == entity.key:
            continue
        if not isinstance(column, Bags):
            columns[f"c{n}"] = column
            selected.append(f"c{n} AS {_name(name)}")
            continue
        of = np.repeat(code, np.diff(column.offsets))
        con.register(f"flat{n}", {"code": of, "place": np.arange(len(of)), "x": column.values})
        kind = MEMBERS[column.values.dtype.kind]
        lists = f"FROM flat{n} SELECT code, list(x::{kind} ORDER BY place) AS c{n} GROUP BY code"
        joined += f" LEFT JOIN ({lists}) AS b{n} USING (code)"
        selected.append(f"coalesce(c{n}, []::{kind}[]) AS {_name(name)}")
    con.register("plain", columns)
    _copy(con, f"{joined} SELECT {', '.join(selected)} ORDER BY code", target)


def _copy(con: duckdb.DuckDBPyConnection, query: str, target: Path) -> None:
    con.execute(f"COPY ({query}) TO {quoted(str(target))} (FORMAT parquet)")


def _name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
