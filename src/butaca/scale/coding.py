"""This module gives the ids of users or items their codes, and writes the table of what is known of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import duckdb

from butaca.data.attributes import load_keys
from butaca.data.cells import number
from butaca.data.columns import Field, Role
from butaca.data.formats import open_table
from butaca.data.opened import Opened, quoted
from butaca.errors import TableError
from butaca.scale.reading import Budget, spilling


def write_ids(
    role: Role,
    key: str,
    *,
    is_text: bool,
    met: Sequence[Path],
    work: Path,
    out: Path,
    table: str | None,
    budget: Budget,
) -> None:
    """Writes work/<role>s.parquet (v, code) and out/<role>s.parquet, a row per code: the id, its features.

    A code is the rank of an id among all of the interactions (the files `met`) and the table, as in
    `data.tables`. The features keep their kinds; in text files a column of numbers becomes numbers.

    Raises:
        TableError: a table with a wrong or repeated id, or without any id of the interactions; or
            interactions of one user or item only.
    """
    side = f"{role}s"
    coded, features = work / f"{side}.parquet", out / f"{side}.parquet"
    with spilling(budget) as con:
        files = ", ".join(quoted(str(path)) for path in met)
        con.execute(f"CREATE TEMP TABLE met AS FROM read_parquet([{files}]) SELECT DISTINCT v")
        if _one(con, "FROM met SELECT count(*)") < 2:
            raise TableError(
                "A recommender learns from at least two users and two items",
                f"interactions whose column {key!r} holds one value only",
                "Give more interactions, or check that it is the right column",
            )
        parts, selected = ["FROM met"], [f"v AS {_name(key)}"]
        joined = "FROM codes"
        if table is not None:
            opened = open_table(con, table, table="features", wanted=[key])
            field, found = load_keys(opened, role, name=key, is_text=is_text)
            parts.append(f"FROM {opened.table} SELECT {found.sql} AS v")
            loaded = set(_loaded(con, opened.table))
            joined += f" LEFT JOIN (FROM {opened.table} SELECT {found.sql} AS k, *) ON v = k"
            selected += [
                f"{_feature(opened, f)} AS {_name(f.name)}"
                for f in opened.fields
                if f != field and f.sql in loaded and f.name != key
            ]
            keys = f"(FROM {opened.table} SELECT {found.sql} AS k)"
            known = _one(con, f"FROM met SEMI JOIN {keys} ON v = k SELECT count(*)")
            if not known:
                raise TableError(
                    f"A table of {side} describes the {side} of the interactions",
                    f"{opened.label}, in which column {field.name!r} has none of their ids",
                    "Check that it is the right table",
                )
        union = " UNION ".join(f"({part})" for part in parts)
        con.execute(
            f"CREATE TEMP TABLE codes AS FROM ({union}) SELECT v, "
            "(row_number() OVER (ORDER BY v) - 1)::INTEGER AS code"
        )
        con.execute("SET threads = 1")  # the order of row groups
        con.execute(f"COPY (FROM codes ORDER BY code) TO {quoted(str(coded))} (FORMAT parquet)")
        con.execute(
            f"COPY ({joined} SELECT {', '.join(selected)} ORDER BY code) "
            f"TO {quoted(str(features))} (FORMAT parquet)"
        )


def _feature(opened: Opened, field: Field) -> str:
    """Returns a feature's SQL; of text files, numbers where all filled cells are, none with leading zeros."""
    if opened.text is None:
        return field.sql
    cell = field.sql
    filled, real, whole, padded = opened.one(
        f"FROM {opened.table} SELECT count(*), count({number(cell)}), "
        f"count_if(regexp_full_match({cell}, '[+-]?[0-9]+') AND TRY_CAST({cell} AS BIGINT) IS NOT NULL), "
        f"count_if(regexp_matches({cell}, '^[+-]?0[0-9]')) WHERE {cell} <> ''"
    )
    if not filled or real < filled or padded:
        return cell
    return f"TRY_CAST({cell} AS BIGINT)" if whole == filled else number(cell)


def _loaded(con: duckdb.DuckDBPyConnection, table: str) -> list[str]:
    return [row[0] for row in con.execute(f"DESCRIBE {table}").fetchall()]


def _one(con: duckdb.DuckDBPyConnection, sql: str) -> int:
    n: int = con.execute(sql).fetchall()[0][0]
    return n


def _name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
