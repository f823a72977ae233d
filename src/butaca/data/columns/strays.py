"""This module finds rows and ids that are none: names again, a total below, ids that were cut."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import duckdb

from butaca.data.cells.converted import counted
from butaca.data.cells.written_lists import split_lists
from butaca.data.columns.names import REQUIRED, Role, plain, words
from butaca.data.columns.roles import Field
from butaca.data.formats.opened import Opened, plain_errors, quoted

#: What the last row of a sheet says where it sums those above.
TOTALS = words(
    "total totals grandtotal subtotal sum totales totalgeneral suma gesamt gesamtsumme summe totale somma "
    "totaux totalgénéral итого razem toplam 合计 总计 合計"
)
LOOKED_AT = 2000  # ids by which it is told whether they are lists
#: Ids as spreadsheets write long numbers, of which they keep a few digits.
_SHORTENED = "[0-9]([.,][0-9]+)?E[+][0-9]{2,}"
#: Marks that nobody sees, at the ends of an id: of width zero, of direction, of order of bytes.
_UNSEEN = "[\\x{200B}-\\x{200F}\\x{2060}\\x{FEFF}]"


def drop_repeated_names(opened: Opened, fields: Sequence[Field]) -> list[str]:
    """Leaves out lines that repeat the names, as files put together have them; returns a note.

    Args:
        opened: the loaded table.
        fields: its columns that tell.
    """
    if opened.text is None or not opened.text.has_header or len(fields) < len(REQUIRED):
        return []
    same = " AND ".join(f"{f.sql} IN ({quoted(f.name)}, {quoted(chr(0xFEFF) + f.name)})" for f in fields)
    n, row = opened.one(f"FROM {opened.table} SELECT count(*), min(rowid) WHERE {same}")
    if not n:
        return []
    where = opened.where(row)
    opened.drop(same)
    return [
        f"{counted(n, 'line')} that repeat{'s' if n == 1 else ''} the names left out, the first in {where}"
    ]


def last_row_sums(opened: Opened, fields: Mapping[Role, Field]) -> list[str]:
    """Returns a notice where the last row's user or item is a word for a sum.

    Args:
        opened: the loaded table.
        fields: its columns by role.
    """
    (row,) = opened.one(f"FROM {opened.table} SELECT max(rowid)")
    for role, field in fields.items():
        if role in REQUIRED:
            (cell,) = opened.one(f"FROM {opened.table} SELECT {field.sql}::VARCHAR WHERE rowid = {row}")
            if plain(cell or "") in TOTALS:
                where = opened.where(row)
                return [f"{role}: {cell!r} in the last row, {where}; leave it out if it sums the others"]
    return []


def odd_ids(con: duckdb.DuckDBPyConnection, relation: str, *, role: Role) -> list[str]:
    """Returns notices on ids of text that were cut short, or have marks at their ends that nobody sees.

    Args:
        con: where the relation is.
        relation: SQL that gives each id once, as `v`.
        role: whose they are.
    """
    cut, unseen = f"regexp_full_match(v, '{_SHORTENED}')", f"regexp_matches(v, '^{_UNSEEN}|{_UNSEEN}$')"
    with plain_errors("the ids"):
        may_be = con.execute(
            f"{relation} SELECT coalesce(bool_or(contains(v, 'E+') OR strlen(v) <> length(v)), false)"
        ).fetchall()[0][0]
        rows = (
            [(0, "", 0, "")]
            if not may_be
            else con.execute(
                f"{relation} SELECT count_if({cut}), min(v) FILTER ({cut}), "
                f"count_if({unseen}), min(v) FILTER ({unseen})"
            ).fetchall()
        )
    n_cut, one_cut, n_unseen, one_unseen = rows[0]
    notes = []
    if n_cut:
        notes.append(
            f"{role}: {counted(n_cut, 'id')} such as {one_cut!r}, which a spreadsheet shortened: "
            "different ones may have become one; export them as text"
        )
    if n_unseen:
        notes.append(
            f"{role}: {counted(n_unseen, 'id')} with a mark that nobody sees, such as {one_unseen!r}: "
            "with it and without it they are two"
        )
    if role == "item" and (listed := _lists(con, relation)):
        notes.append(
            f"item: ids such as {listed!r} look like lists of items: wide=True or --wide reads "
            "a row for each of a list"
        )
    return notes


def _lists(con: duckdb.DuckDBPyConnection, relation: str) -> str:
    """Returns an id that seems to be a list of others, as most are; "" where they are none."""
    with plain_errors("the ids"):
        rows = con.execute(f"{relation} SELECT v LIMIT {LOOKED_AT}").fetchall()
    marked = [v for (v,) in rows if any(mark in v for mark in ",;|")]
    if (
        2 * len(marked) < len(rows)
        or split_lists([v.replace("|", ";") for (v,) in rows], piped=False) is None
    ):
        return ""
    return str(marked[0]) if marked else ""
