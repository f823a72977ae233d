"""This module joins several opened files to one table."""

from __future__ import annotations

from collections.abc import Sequence

from butaca.data.columns.roles import Field
from butaca.data.formats.described import kind_of, member_of
from butaca.data.formats.opened import Opened, plain_errors
from butaca.errors import TableError


def joined(parts: Sequence[Opened], table: str, *, label: str) -> Opened:
    """Returns several files as one table, their rows in order, their columns by name.

    Raises:
        TableError: one has other columns, or is of another kind.
    """
    first = parts[0]
    names = [f.name for f in first.fields]
    for other in parts[1:]:
        if sorted(f.name for f in other.fields) != sorted(names) or (other.text is None) != (
            first.text is None
        ):
            its = ", ".join(f.name for f in other.fields[:10])
            raise TableError(
                "Several files make one table if they have the same columns",
                f"{other.label} with {its}, and {first.label} with {', '.join(names[:10])}",
                "Name the files of interactions only, such as 'folder/part-*.csv'",
            )
    selects = []
    for part in parts:
        own = {f.name: f.sql for f in part.fields}
        cells = ", ".join(f"{own[f.name]} AS {f.sql}" for f in first.fields)
        selects.append(f"({part.relation} SELECT {cells})")
    relation = f"FROM ({' UNION ALL '.join(selects)})"
    fields = list(first.fields)
    if first.text is None:
        with plain_errors(label):
            rows = first.con.execute(f"DESCRIBE {relation}").fetchall()
        fields = [
            Field(f.name, f.sql, kind_of(row[1]), member_of(row[1]))
            for f, row in zip(fields, rows, strict=True)
        ]
    out = Opened(first.con, label, first.name, fields, relation, table, first.text, tuple(parts))
    out.notes.append(f"{len(parts):,} files read as one table, from {first.label} to {parts[-1].label}")
    return out
