"""This module turns wide tables into a row for each interaction: users x items, and lists of items."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from butaca.data.cells.converted import NOTHING
from butaca.data.cells.written_lists import parts, split_lists
from butaca.data.columns.names import Role
from butaca.data.columns.roles import Field, by_name, is_time, listed, named
from butaca.data.columns.uses import describes_users
from butaca.data.formats.opened import Opened, quoted
from butaca.errors import TableError

#: What a cell without an interaction holds, in small letters.
EMPTY = ("", "0", "0.0", "-", *dict.fromkeys(word.lower() for word in NOTHING))

LEAST_TIME = 10_000_000  # no rating and no amount in a column that is called a time: a date in digits


@dataclass(frozen=True)
class _Sorted:
    """Holds the columns of a wide table by what they are: the items, and what goes along or is left out."""

    user: Field
    time: Field | None
    items: Sequence[Field]
    left_out: Sequence[Field]


def unpivoted(opened: Opened, asked: Mapping[Role, str | None]) -> Opened:
    """Returns the table of user, item and value of a wide one, whose columns are items or hold lists of them.

    The first column is the user, unless another has a user's name. A column of times is the time of all of
    its row; those that describe users are left out. An empty cell is no interaction.

    Args:
        opened: the table.
        asked: names of columns, by role.

    Raises:
        TableError: it has no further columns.
    """
    sorted_ = _sorted(opened, asked)
    user, others = sorted_.user, sorted_.items
    lists = [f for f in others if f.kind == "list"]
    if not others:
        raise TableError(
            "A wide table has a column of users, and one for each item or one with lists of items",
            f"{opened.label} with the columns {listed(opened.fields)}",
            "Leave wide out (--wide)",
        )
    table = f"{opened.table}_wide"
    if lists:
        said = f"a row for each item of the lists in {lists[0].name!r}"
        kind, has_value = lists[0].of, False
        _unnest(opened, sorted_, lists[0], table)
    elif (had := _written_lists(opened, others)) is not None:
        said = f"a row for each item of the lists in {others[0].name!r}"
        kind, has_value = "text", False
        _unnest(opened, sorted_, Field(others[0].name, "had", "list", "text"), table, had=had)
    else:
        said = f"a row for each filled cell of {len(others):,} columns of items"
        kind, has_value = "text", True
        _unpivot(opened, sorted_, table)
    fields = [Field(user.name, "c0", "text" if opened.text else user.kind)]
    fields += [Field(_unlike("item_id", fields), "c1", kind)]
    fields += [Field(_unlike("value", fields), "c2", "text")] if has_value else []
    if sorted_.time is not None:
        fields.append(Field(sorted_.time.name, "c3", "text" if opened.text else sorted_.time.kind))
    out = Opened(opened.con, opened.label, opened.name, fields, f"FROM {table}", opened.table)
    out.notes = [*opened.notes, f"wide: {said}, by {user.name!r}"]
    if sorted_.left_out:
        out.notes.append(f"wide: left out {listed(sorted_.left_out)}, no items")
    out.origin = (opened, table)
    out.told = {"user": fields[0].name, "item": fields[1].name}
    out.told |= {"value": fields[2].name} if has_value else {}
    out.told |= {"time": sorted_.time.name} if sorted_.time is not None else {}
    return out


def _unlike(name: str, fields: Sequence[Field]) -> str:
    """Returns a name that no column has."""
    return name if all(f.name != name for f in fields) else f"{name}_"


def _sorted(opened: Opened, asked: Mapping[Role, str | None]) -> _Sorted:
    """Returns what the columns of a wide table are."""
    name = asked.get("user")
    found = named(opened.fields, name) if name else by_name(opened.fields, "user", label=opened.label)
    user = found or opened.fields[0]
    others = [f for f in opened.fields if f != user]
    if any(f.kind == "list" for f in others):
        time = _time(opened, [f for f in others if f.kind != "list"], asked)
        items = [next(f for f in others if f.kind == "list")]
        return _Sorted(user, time, items, [f for f in others if f not in items and f != time])
    time = _time(opened, others, asked)
    others = [f for f in others if f != time]
    numeric = [place for place, f in enumerate(others) if f.kind in {"whole", "real"}]
    first = numeric[0] if numeric else 0
    about = {
        f.sql
        for place, f in enumerate(others)
        if describes_users(f) or _is_time(opened, f) or (place < first and _in_words(opened, f))
    }
    items = [f for f in others if f.sql not in about]
    return _Sorted(user, time, items, [f for f in others if f.sql in about])


def _time(opened: Opened, fields: Sequence[Field], asked: Mapping[Role, str | None]) -> Field | None:
    """Returns the column of times: the one asked for, or the first that holds some."""
    name = asked.get("time")
    if name is not None:
        return named(fields, name) if name else None
    return next((f for f in fields if _is_time(opened, f)), None)


def _is_time(opened: Opened, field: Field) -> bool:
    """Returns whether a column holds times: dates, or by its name with words or numbers as large as times."""
    if field.kind == "time":
        return True
    if not is_time(field):
        return False
    number = f"TRY_CAST({field.sql} AS DOUBLE)"
    (least,) = opened.one(f"{opened.relation} SELECT min({number})")
    return least is None or least >= LEAST_TIME


def _in_words(opened: Opened, field: Field) -> bool:
    """Returns whether a column holds several words and no number."""
    number = f"TRY_CAST(replace({field.sql}::VARCHAR, ',', '.') AS DOUBLE)"
    cells, numbers = opened.one(
        f"{opened.relation} SELECT count(*) FILTER (trim({field.sql}::VARCHAR) <> ''), count({number})"
    )
    return field.kind == "text" and bool(cells > 1 and not numbers)


def _written_lists(opened: Opened, others: Sequence[Field]) -> list[list[str]] | None:
    """Returns the lists written as text in the only other column, a row each; None where there are none."""
    if len(others) != 1 or others[0].kind != "text":
        return None
    with opened.errors():
        rows = opened.con.execute(f"{opened.relation} SELECT {others[0].sql}").fetchall()
    cells = [str(cell or "").strip() for (cell,) in rows]
    found = split_lists(cells, piped=any("|" in cell for cell in cells))
    if found is None:
        mark = next((m for m in ";, " if any(m in cell for cell in cells)), None)
        found = None if mark is None else (parts(cells, mark), "")
    return None if found is None else [list(had) for had in found[0]]


def _unnest(
    opened: Opened, of: _Sorted, field: Field, table: str, *, had: Sequence[Sequence[str]] | None = None
) -> None:
    """Writes a row for each member of a column of lists, in order, with the row that it came from."""
    time = "NULL" if of.time is None else of.time.sql
    lists = field.sql
    rows = f"({opened.relation} SELECT {of.user.sql} AS c0, {time} AS c3, row_number() OVER () - 1 AS row_"
    rows += ")" if had is not None else f", {lists} AS had)"
    if had is not None:
        name = f"{table}_lists"
        place = [at for at, one in enumerate(had) for _ in one]
        columns = {
            "of_row": np.array(place),
            "place": np.arange(len(place)),
            "item": np.array([i for one in had for i in one], dtype=object),
        }
        opened.con.register(name, columns)
        rows = f"{rows} JOIN {name} ON row_ = of_row SELECT c0, item AS c1, c3, row_ ORDER BY place"
    else:
        rows = f"(FROM {rows} SELECT c0, unnest(had) AS c1, c3, row_) SELECT * WHERE c1 IS NOT NULL"
    with opened.errors():
        opened.con.execute(f"CREATE TEMP TABLE {table} AS FROM {rows}")


def _unpivot(opened: Opened, of: _Sorted, table: str) -> None:
    """Writes a row for each filled cell, by user and then in the order of the columns."""
    names = f"{table}_names"
    con = opened.con
    texts = {"sql": [f.sql for f in of.items], "name": [f.name for f in of.items]}
    arrays = {name: np.array(cells, dtype=object) for name, cells in texts.items()}
    con.register(names, {**arrays, "place": np.arange(len(of.items))})
    cells = ", ".join(f"{f.sql}::VARCHAR AS {f.sql}" for f in of.items)
    time = "NULL" if of.time is None else of.time.sql
    own = f"row_number() OVER () - 1 AS row_, {of.user.sql} AS user_, {time} AS time_"
    rows = f"({opened.relation} SELECT {own}, {cells})"
    long = f"(UNPIVOT {rows} ON COLUMNS(* EXCLUDE (row_, user_, time_)) INTO NAME sql VALUE cell)"
    empty = f"lower(trim(cell)) IN ({', '.join(map(quoted, EMPTY))})"
    chosen = "SELECT user_ AS c0, name AS c1, trim(cell) AS c2, time_ AS c3, row_"
    with opened.errors():
        con.execute(
            f"CREATE TEMP TABLE {table} AS FROM {long} JOIN {names} USING (sql) {chosen} "
            f"WHERE NOT {empty} ORDER BY row_, place"
        )


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
