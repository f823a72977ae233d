"""This module turns wide tables into a row for each interaction: users x items, and lists of items."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from butaca.data.columns import Field, Role, by_name, listed
from butaca.data.opened import Opened
from butaca.data.written_lists import parts, split_lists
from butaca.errors import TableError

COLUMNS = ("user_id", "item_id", "value")


def unpivoted(opened: Opened, wanted: Sequence[str] = ()) -> Opened:
    """Returns the table of (user, item, value) of a wide one, whose columns are items or hold lists of them.

    The first column is the user, unless another has a user's name. An empty cell is no interaction.

    Args:
        opened: the table.
        wanted: names of columns that the caller expects.

    Raises:
        TableError: it has no further columns.
    """
    found = by_name(opened.fields, "user", label=opened.label)
    found = found or next((f for f in opened.fields if f.name in wanted), None)
    user, is_user = found or opened.fields[0], found is not None
    others = [f for f in opened.fields if f != user]
    lists = [f for f in others if f.kind == "list"]
    if not others:
        raise TableError(
            "A wide table has a column of users, and one for each item or one with lists of items",
            f"{opened.label} with the columns {listed(opened.fields)}",
            "Leave wide out (--wide)",
        )
    first, second, third = "c0", "c1", "c2"
    if lists:
        relation = (
            f"FROM ({opened.relation} SELECT {user.sql} AS {first}, unnest({lists[0].sql}) AS {second})"
        )
        relation = f"FROM ({relation} SELECT {first}, {second} WHERE {second} IS NOT NULL)"
        key = user.name if is_user else COLUMNS[0]
        fields = [Field(key, first, user.kind), Field("item_id", second, lists[0].of)]
        said = f"a row for each item of the lists in {lists[0].name!r}"
    elif (written := _written_lists(opened, user, others)) is not None:
        relation, fields = written
        said = f"a row for each item of the lists in {others[0].name!r}"
    else:
        table = f"{opened.table}_wide"
        _unpivot(opened, user, others, table)
        relation = f"FROM {table}"
        key = user.name if is_user else COLUMNS[0]
        fields = [Field(key, first, "text" if opened.text else user.kind)]
        fields += [Field("item_id", second, "text"), Field("value", third, "text")]
        said = f"a row for each filled cell of {len(others):,} columns of items"
    out = Opened(opened.con, opened.label, opened.name, fields, relation, opened.table)
    out.notes = [*opened.notes, f"wide: {said}, by {user.name!r}"]
    return out


def _written_lists(opened: Opened, user: Field, others: Sequence[Field]) -> tuple[str, list[Field]] | None:
    """Returns the rows of lists written as text in the only other column; None where there are none."""
    if len(others) != 1 or others[0].kind != "text":
        return None
    with opened.errors():
        rows = opened.con.execute(f"{opened.relation} SELECT {user.sql}, {others[0].sql}").fetchall()
    cells = [str(cell or "").strip() for _, cell in rows]
    found = split_lists(cells, piped=any("|" in cell for cell in cells))
    if found is None:
        mark = next((m for m in ";, " if any(m in cell for cell in cells)), None)
        found = None if mark is None else (parts(cells, mark), "")
    if found is None:
        return None
    pairs = [(who, item) for (who, _), had in zip(rows, found[0], strict=True) for item in had]
    columns = {
        "c0": np.array([who for who, _ in pairs], dtype=object),
        "c1": np.array([item for _, item in pairs], dtype=object),
    }
    name = f"{opened.table}_lists"
    opened.con.register(name, columns)
    key = user.name if by_name([user], "user", label=opened.label) else COLUMNS[0]
    return f"FROM {name}", [Field(key, "c0", "text"), Field("item_id", "c1", "text")]


def _unpivot(opened: Opened, user: Field, others: Sequence[Field], table: str) -> None:
    """Writes the rows of (user, item, value), by user and then in the order of the columns."""
    names = f"{table}_names"
    con = opened.con
    texts = {"sql": [f.sql for f in others], "name": [f.name for f in others]}
    arrays = {name: np.array(cells, dtype=object) for name, cells in texts.items()}
    con.register(names, {**arrays, "place": np.arange(len(others))})
    cells = ", ".join(f"{f.sql}::VARCHAR AS {f.sql}" for f in others)
    rows = f"({opened.relation} SELECT row_number() OVER () AS row, {user.sql} AS user_, {cells})"
    long = f"(UNPIVOT {rows} ON COLUMNS(* EXCLUDE (row, user_)) INTO NAME sql VALUE cell)"
    empty = "trim(cell) IN ('', '0', '0.0', 'nan', 'NaN', 'NA')"
    chosen = f"SELECT user_ AS c0, name AS c1, trim(cell) AS c2 WHERE NOT {empty} ORDER BY row, place"
    with opened.errors():
        con.execute(f"CREATE TEMP TABLE {table} AS FROM {long} JOIN {names} USING (sql) {chosen}")


def json_columns(text: str, *, label: str) -> Mapping[str, Sequence[Any]] | None:
    """Returns the interactions of JSON that is lists of items: None where it is records.

    | the JSON | is |
    |---|---|
    | {"ana": ["Heat", "Alien"]} | the items of each user |
    | {"ana": {"Heat": 4, "Alien": 5}} | with their values |
    | [["ana", "Heat", 4]] | user, item and, if they are there, value and time |

    Raises:
        TableError: the JSON is damaged.
    """
    try:
        found = json.loads(text)
    except ValueError:
        return None  # JSON lines, or damage, which DuckDB says better
    rows: list[tuple[Any, ...]] = []
    if isinstance(found, dict) and found and all(isinstance(v, list | dict) for v in found.values()):
        for user, had in found.items():
            if isinstance(had, dict):
                rows += [(user, item, value) for item, value in had.items()]
            else:
                rows += [(user, *one[:3]) if isinstance(one, list) else (user, one) for one in had]
    elif isinstance(found, list) and found and all(isinstance(one, list) and len(one) > 1 for one in found):
        rows = [tuple(one[:4]) for one in found]
    if not rows:
        return None
    width = min(map(len, rows))
    names = ("user_id", "item_id", "value", "timestamp")
    return {name: [row[i] for row in rows] for i, name in enumerate(names[:width])}


def looks_wide(fields: Sequence[Field], taken: Mapping[Role, Field]) -> bool:
    """Returns whether a table that lacks a role has so many columns that they may be items."""
    return len(fields) > 20 or any(f.kind == "list" for f in fields if f not in taken.values())
