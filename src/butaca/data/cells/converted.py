"""This module turns cells into ids and numbers, and first refuses, by row, what can't be converted.

Every error says how many cells are wrong and where the first of them is: the line of a text file, with
the header as line 1, or the row of any other table, counting from 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from butaca.data.columns.reactions import FALSE, TRUE
from butaca.data.columns.roles import Field
from butaca.data.formats.opened import Opened, quoted
from butaca.errors import TableError
from butaca.types import Values

LARGEST = float(np.finfo(np.float32).max)
NOTHING = (
    *("NULL", "null", "Null", r"\N", "nan", "NaN", "NAN", "None", "NONE", "none", "NA", "N/A", "n/a", "#N/A"),
    *("<NA>", "NaT", "undefined"),
)  # words that programs write where there is no id
LOOKED_AT = 100  # cells by which it is told whether to look at all of a column
EXACT = 2**53  # beyond it a real number no longer holds every whole one


@dataclass(frozen=True)
class Ids:
    """Holds an id column ready for queries: `sql` is VARCHAR where `is_text`, else BIGINT."""

    sql: str
    is_text: bool

    def as_text(self, wanted: bool) -> str:
        """Returns the column as text or, where a text is a whole number, as that number; else NULL."""
        if wanted == self.is_text:
            return self.sql
        if wanted:
            return f"{self.sql}::VARCHAR"
        whole = f"regexp_full_match({self.sql}, '[+-]?[0-9]+([.]0+)?')"
        return f"CASE WHEN {whole} THEN TRY_CAST(regexp_replace({self.sql}, '[.]0+$', '') AS BIGINT) END"


def counted(n: int, noun: str) -> str:
    """Returns a number of things: "1 row", "2 rows"."""
    return f"{n} {noun}{'s' if n != 1 else ''}"


def column(opened: Opened, sql: str) -> Values:
    """Returns one expression over the loaded table, [n] in the order of its rows."""
    with opened.errors():
        out: Values = opened.con.execute(f"FROM {opened.table} SELECT {sql} AS x").fetchnumpy()["x"]
    assert not np.ma.is_masked(out), "nulls are refused before"
    return out


def refuse(opened: Opened, field: Field, *, bad: str, rule: str, what: str, cure: str) -> None:
    """Raises if a condition holds in any row, naming the first.

    Args:
        opened: the loaded table.
        field: the column looked at.
        bad: SQL, true where a cell is wrong.
        rule: what must hold.
        what: what a wrong cell is; "{value}" stands for its content.
        cure: what to do.
    """
    count, row = opened.one(f"FROM {opened.table} SELECT count(*), min(rowid) WHERE {bad}")
    if not count:
        return
    (value,) = opened.one(f"FROM {opened.table} SELECT {field.sql}::VARCHAR WHERE rowid = {row}")
    more = f", and {count - 1} more like it" if count > 1 else ""
    found = what.replace("{value}", repr(value))
    raise TableError(
        rule, f"{found} in column {field.name!r}, {opened.where(row)} of {opened.label}{more}", cure
    )


def is_nothing(opened: Opened, field: Field) -> str:
    """Returns the SQL that holds where an id is missing: empty, or a word for nothing."""
    if not is_text_field(opened, field):
        return f"({field.sql} IS NULL" + (f" OR isnan({field.sql}))" if field.kind == "real" else ")")
    words = ", ".join(f"'{word}'" for word in ("", *NOTHING))
    return f"({field.sql} IS NULL OR trim({field.sql}) IN ({words}))"


def _without_zeros(opened: Opened, cell: str) -> str:
    """Returns the SQL of ids as text of which some end in ".0": where all are whole numbers, without that."""
    whole = f"regexp_full_match({cell}, '[+-]?[0-9]+([.]0+)?')"
    if not opened.one(f"FROM {opened.table} SELECT bool_and({whole})")[0]:
        return cell
    return f"regexp_replace({cell}, '[.]0+$', '')"


def ids(opened: Opened, field: Field, *, rule: str) -> Ids:
    """Returns an id column: text, or whole numbers; real numbers that are all whole count as such.

    Raises:
        TableError: an empty cell, a fraction, a number beyond 64 bits, or a column of another kind.
    """
    if field.kind not in {"text", "whole", "real"} and opened.text is None:
        raise TableError(
            "Ids are text or whole numbers",
            f"column {field.name!r} of {opened.label}, which holds {_KINDS[field.kind]}",
            "Convert it to text, or name another column"
            + ("; lists of items are read with wide=True (--wide)" if field.kind == "list" else ""),
        )
    cell = field.sql
    is_text = field.kind == "text" or opened.text is not None
    empty = f"({cell} IS NULL" + (f" OR trim({cell}) = '')" if is_text else ")")
    if field.kind == "real" and not is_text:
        empty = f"({cell} IS NULL OR isnan({cell}))"
    looked = f"count_if({empty}), " + (f"count_if(suffix({cell}, '.0'))" if is_text else "0")
    n_empty, n_zeros = opened.one(f"FROM {opened.table} SELECT {looked}")
    if n_empty:
        cure = "Fill it in, remove the row, or leave such rows out: drop_nulls=True or --drop-nulls"
        refuse(opened, field, bad=empty, rule=rule, what="an empty cell", cure=cure)
    if is_text:
        return Ids(_without_zeros(opened, cell) if n_zeros else cell, True)
    if field.kind == "real":
        broken = f"{cell} <> floor({cell}) OR abs({cell}) > {EXACT}"
        refuse(
            opened,
            field,
            bad=broken,
            rule="Ids are text or whole numbers",
            what="{value}",
            cure="Write the ids as text or as integers",
        )
    beyond = f"TRY_CAST({cell} AS BIGINT) IS NULL"
    refuse(
        opened,
        field,
        bad=beyond,
        rule="Whole numbers fit in 64 bits",
        what="{value}",
        cure="Write these ids as text",
    )
    return Ids(f"{cell}::BIGINT", False)


def refuse_lists(opened: Opened, field: Field) -> None:
    """Raises if the cells of an item column are lists of items."""
    if not is_text_field(opened, field):
        return
    listed = f"regexp_full_match(trim({field.sql}), '[\\[{{].*[\\]}}]')"
    first = f"(FROM {opened.table} SELECT {field.sql} LIMIT {LOOKED_AT})"
    if all(opened.one(f"FROM {table} SELECT bool_and({listed})")[0] for table in (first, opened.table)):
        refuse(
            opened,
            field,
            bad=listed,
            rule="An interaction is of one item",
            what="{value}",
            cure="Read the lists with wide=True (--wide), a row for each item of a list",
        )


def number(cell: str) -> str:
    """Returns the SQL of a text as a real number, NULL where it is none (DuckDB would take "1_000")."""
    return f"CASE WHEN NOT contains({cell}, '_') THEN TRY_CAST({cell} AS DOUBLE) END"


def numeric(opened: Opened, cell: str) -> str:
    """Returns the SQL of a column of text as real numbers: with a decimal comma where it is written so.

    Words for true and false alone are 1 and 0.

    A decimal comma makes numbers of more cells than a decimal point does, and in some other than three digits
    follow it: "4,5", "1.234,50"; "1,234" alone may be a thousand.
    """
    filled, points = opened.one(
        f"FROM {opened.table} SELECT count(*), count({number(cell)}) WHERE {cell} <> ''"
    )
    if points == filled:
        return number(cell)
    word = f"strip_accents(lower(trim({cell})))"
    true, false = (", ".join(map(quoted, said)) for said in (TRUE, FALSE))
    if (
        not points
        and opened.one(
            f"FROM {opened.table} SELECT bool_and({word} IN ({true}, {false})) WHERE {cell} <> ''"
        )[0]
    ):
        return f"CASE WHEN {word} IN ({true}) THEN 1.0 WHEN {word} IN ({false}) THEN 0.0 END"
    commas = (
        f"CASE WHEN regexp_full_match({cell}, '[+-]?([0-9]+|[0-9]{{1,3}}([.][0-9]{{3}})+)(,[0-9]+)?') "
        f"THEN TRY_CAST(replace(replace({cell}, '.', ''), ',', '.') AS DOUBLE) END"
    )
    other = f"regexp_matches({cell}, ',([0-9]{{1,2}}|[0-9]{{4,}})$')"
    found, some = opened.one(
        f"FROM {opened.table} SELECT count({commas}), count_if({other}) WHERE {cell} <> ''"
    )
    return commas if some and found > points else number(cell)


def is_text_field(opened: Opened, field: Field) -> bool:
    """Returns whether a column's cells are text, whatever they hold."""
    return opened.text is not None or field.kind == "text"


def refuse_empty(opened: Opened, field: Field, *, rule: str, cure: str) -> None:
    """Raises if a cell of a column is empty."""
    cell = field.sql
    blank = f" OR trim({cell}) = ''" if is_text_field(opened, field) else ""
    refuse(opened, field, bad=f"{cell} IS NULL{blank}", rule=rule, what="an empty cell", cure=cure)


_KINDS: dict[Any, str] = {
    "bool": "true and false",
    "time": "dates or times",
    "list": "lists",
    "other": "structures or bytes",
}
