"""This module reads your own interactions: files, databases, DataFrames or arrays (docs/tables.md).

Rules that hold for every kind of source:

- Ids of text files are text ("007" stays "007"); other sources keep their type, text or whole numbers.
- A user and an item column are required, a value and a time column are not. All are found by name, then
  by type (`columns.py`), and `Dataset.notes` says which were chosen.
- Errors name the first wrong cell: the line of a text file, its header being line 1, or the row of any
  other table, counting from 1.
- A pair of user and item counts once: the latest row wins; of rows of the same time, or without times,
  the last one. The rows that remain keep their order.
- The vocabulary is the sorted distinct ids of the interactions and of the tables of users and items, so
  an item that nobody met is part of the catalogue.
"""

from __future__ import annotations

import duckdb
import numpy as np

from butaca.data.attributes import distinct, entities, load_keys
from butaca.data.cells.converted import NOTHING, counted
from butaca.data.columns.names import Role
from butaca.data.columns.noted import words_for_nothing
from butaca.data.columns.strays import odd_ids
from butaca.data.core import cored
from butaca.data.dataset import Dataset, Entities
from butaca.data.formats.opened import session
from butaca.data.formats.opening import Source
from butaca.data.formats.written import Reading
from butaca.data.interactions import ReadRows, asked_of, finish, read_rows
from butaca.data.repeats import (
    Duplicates,
    check_duplicates,
    check_put_together,
)
from butaca.data.sides import codes_of, opened_side, side_of
from butaca.data.signal import PLAIN, Signal
from butaca.data.vocabulary import Vocabulary
from butaca.errors import TableError
from butaca.types import Codes


def read_table(
    source: Source,
    *,
    items: Source | None = None,
    users: Source | None = None,
    user_column: str | None = None,
    item_column: str | None = None,
    value_column: str | None = None,
    time_column: str | None = None,
    time_format: str | None = None,
    title_column: str | None = None,
    sep: str | None = None,
    encoding: str | None = None,
    query: str | None = None,
    wide: bool = False,
    drop_nulls: bool = False,
    min_user: int = 0,
    min_item: int = 0,
    name: str | None = None,
    duplicates: Duplicates = "last",
    signal: Signal = PLAIN,
) -> Dataset:
    """Reads interactions, and what is known of users and items, from tables of your own.

    Args:
        source: a path of text, Parquet, JSON, Excel, Feather, SQLite or DuckDB, packed or not, a folder or
            pattern of such, several in a list, "-", a database's address; a pandas, polars or pyarrow table,
            a sparse matrix, an array, or a mapping of column names to arrays.
        items: a table with one row per item; its columns become features (`feature_columns.py` says of
            which kind).
        users: likewise, one row per user.
        user_column: the column of user ids, if its name does not say so.
        item_column: the column of item ids.
        value_column: the column of ratings or weights; an empty name means: none.
        time_column: the column of times; an empty name means: none.
        time_format: how times are written, where their cells do not tell: a pattern of strptime such as
            "%d/%m/%Y %H:%M", a unit ("s", "ms", "us", "ns", "excel") or an order of dates ("day-first",
            "month-first", "year-first").
        title_column: the column of `items` that holds what people call them, if its name does not say so.
        sep: what separates the cells of text files, one character or "::"; "blank" is any run of blanks.
        encoding: of text files that are not UTF-8, such as "cp1252"; of those of `items` and `users` too.
        query: SQL that gives the interactions, of a database.
        wide: whether the table is users x items, or holds lists of items.
        drop_nulls: leave out rows without a user or an item, also where a word such as NULL says so, those
            of `items` and `users` too.
        min_user: leave out users with fewer interactions, until all that are left have as many.
        min_item: likewise items.
        name: what to call the data; the file's name if not given.
        duplicates: of several rows of one user and item keep the "last" or the "first" in time; "keep"
            all, as in a log of events; or make them an "error".
        signal: what counts as what: positives, their weights, negatives; by default every row is a positive.

    Raises:
        TableError: the table breaks a rule; the message names row, column and cure.

    >>> plays = {"user": ["ana", "eva", "eva"], "track": [7, 9, 7]}
    >>> data = read_table(plays)
    >>> data.users.ids.values.tolist(), data.items.ids.values.tolist(), data.item.tolist()
    (['ana', 'eva'], [7, 9], [0, 1, 0])
    """
    check_duplicates(duplicates)
    check_put_together(duplicates, signal)
    asked = asked_of(user_column, item_column, value=value_column, time=time_column)
    reading = Reading(
        sep=sep, query=query, wide=wide, time_format=time_format, drop_nulls=drop_nulls, encoding=encoding
    )
    with session() as con:
        rows = read_rows(con, source, asked=asked, reading=reading, signal=signal)
        tables: dict[Role, Source | None] = {"user": users, "item": items}
        sides = {
            role: side_of(con, rows, role=role, source=table, title_column=title_column, reading=reading)
            for role, table in tables.items()
        }
        for role, (found, _) in sides.items():
            if found.ids.is_text:
                if any(word in found.ids for word in NOTHING):
                    rows.notes.extend(words_for_nothing(rows.opened, rows.choice.fields[role], role=role))
                rows.notes.extend(odd_ids(con, f"FROM {role}_ids", role=role))
    (user_entities, user), (item_entities, item) = sides["user"], sides["item"]
    for key, codes in ((user_entities.key, user), (item_entities.key, item)):
        if codes.min() == codes.max():
            raise TableError(
                "A recommender learns from at least two users and two items",
                f"{rows.opened.label}, whose column {key!r} holds one value only",
                "Give more interactions, or check that it is the right column",
            )
    data = finish(
        rows, user_entities, items=item_entities, user=user, item=item, name=name, duplicates=duplicates
    )
    return cored(data, min_user=min_user, min_item=min_item)


def read_test(
    source: Source,
    *,
    users: Entities,
    items: Entities,
    user_column: str | None = None,
    item_column: str | None = None,
    value_column: str | None = None,
    time_column: str | None = None,
    time_format: str | None = None,
    sep: str | None = None,
    encoding: str | None = None,
    query: str | None = None,
    wide: bool = False,
    drop_nulls: bool = False,
    name: str | None = None,
    duplicates: Duplicates = "last",
    signal: Signal = PLAIN,
    as_fitted: bool = False,
) -> Dataset:
    """Reads test interactions of your own in the codes of a model.

    Rows of users or items that the model does not know cannot be scored: they are left out, and the notes
    say how many and which was the first.

    Args:
        source: as in `read_table`.
        users: the model's; their key is the first name looked for.
        items: likewise.
        user_column: as in `read_table`.
        item_column: as in `read_table`.
        value_column: as in `read_table`.
        time_column: as in `read_table`.
        time_format: as in `read_table`.
        sep: as in `read_table`.
        encoding: as in `read_table`.
        query: as in `read_table`.
        wide: as in `read_table`.
        drop_nulls: as in `read_table`.
        name: as in `read_table`.
        duplicates: as in `read_table`.
        signal: as in `read_table`; negatives are no test pairs.
        as_fitted: whether the signal is that of the model's own data: a table without the columns that it
            names then holds positives alone, and a note says so.

    Raises:
        TableError: the table breaks a rule, or no row of it is of a known user and a known item.
    """
    check_duplicates(duplicates)
    check_put_together(duplicates, signal)
    asked = asked_of(user_column, item_column, value=value_column, time=time_column)
    reading = Reading(
        sep=sep, query=query, wide=wide, time_format=time_format, drop_nulls=drop_nulls, encoding=encoding
    )
    with session() as con:
        preferred: dict[Role, str] = {"user": users.key, "item": items.key}
        rows = read_rows(
            con, source, asked=asked, preferred=preferred, reading=reading, signal=signal, as_fitted=as_fitted
        )
        user, item = (
            _known(con, rows, role, entity.ids) for role, entity in (("user", users), ("item", items))
        )
        left_out = [_left_out(rows, role, codes) for role, codes in (("user", user), ("item", item))]
    keep = np.flatnonzero((user >= 0) & (item >= 0))
    notes = [note for note in left_out if note]
    if not len(keep):
        raise TableError(
            "At least one test interaction is of a user and an item that the model knows",
            f"{rows.opened.label}, of which none is: {'; '.join(notes)}",
            f"Check its columns {users.key!r} and {items.key!r}, or fit on data that includes them",
        )
    rows.notes.extend(notes)
    return finish(rows, users, items=items, user=user, item=item, name=name, duplicates=duplicates, keep=keep)


def read_entities(
    source: Source, role: Role, *, key: str, is_text: bool, encoding: str | None = None
) -> Entities:
    """Reads a table of users or items alone, one row per id, as `read_table` does beside interactions.

    Args:
        source: as in `read_table`.
        role: "user" or "item".
        key: the name of the id column that is looked for first.
        is_text: whether ids are text; else whole numbers.
        encoding: as in `read_table`.

    Raises:
        TableError: the table breaks a rule; the message names row, column and cure.
    """
    with session() as con:
        table = opened_side(con, source, role=role, key=key, encoding=encoding)
        field = load_keys(table, role, name=key, is_text=is_text)
        coded = f"{role}_ids"
        vocabulary = distinct(con, coded, parts=[f"FROM {table.table} SELECT {field[1].sql} AS v"])
        found, _ = entities(
            table, role, name=key, vocabulary=(coded, vocabulary), key=field, known=len(vocabulary)
        )
    return found


def _known(con: duckdb.DuckDBPyConnection, rows: ReadRows, role: str, vocabulary: Vocabulary) -> Codes:
    """Returns codes in a model's vocabulary, -1 for what it does not hold."""
    found, coded = (rows.user if role == "user" else rows.item), f"{role}_ids"
    con.register(coded, {"v": vocabulary.values, "code": np.arange(len(vocabulary), dtype=np.int32)})
    return codes_of(con, rows.opened, sql=found.as_text(vocabulary.is_text), coded=coded)


def _left_out(rows: ReadRows, role: str, codes: Codes) -> str:
    """Returns a note on the rows whose user or item has no code; empty if all have one."""
    missing = np.flatnonzero(codes < 0)
    if not len(missing):
        return ""
    found = rows.user if role == "user" else rows.item
    table, first = rows.opened.table, int(missing[0])
    (value,) = rows.opened.one(f"FROM {table} SELECT {found.sql} WHERE rowid = {first}")
    return (
        f"left out: {counted(len(missing), 'row')} of {role}s that the model does not know, "
        f"the first {value!r} in {rows.opened.where(first)}"
    )
