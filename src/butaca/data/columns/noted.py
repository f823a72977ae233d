"""This module says what reading a table decided: its columns, what it ignores, what may say no."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from butaca.data.cells.converted import counted, is_nothing
from butaca.data.columns.names import ROLES, Role
from butaca.data.columns.roles import ColumnChoice, Field, listed
from butaca.data.columns.told import hints, looked_at
from butaca.data.columns.uses import uses
from butaca.data.formats.opened import Opened
from butaca.data.signal import Signal


@dataclass(frozen=True, eq=False)
class Noted:
    """A Noted holds what was chosen of a table's columns, of which it says what became of each.

    Attributes:
        opened: the table.
        choice: the columns of each role.
        more: those that the signal names.
        asked: names of columns, by role.
        signal: what counts as what.
    """

    opened: Opened
    choice: ColumnChoice
    more: Mapping[str, Field]
    asked: Mapping[Role, str | None]
    signal: Signal

    @property
    def used(self) -> Sequence[Field]:
        """Returns the columns that are read, each once."""
        both = (*self.choice.fields.values(), *self.more.values())
        return list({field.sql: field for field in both}.values())

    @property
    def ignored(self) -> Sequence[Field]:
        """Returns the columns that are not."""
        used = {field.sql for field in self.used}
        return [field for field in self.opened.fields if field.sql not in used]

    @cached_property
    def looked(self) -> Sequence[Field]:
        """Returns those of the ignored whose cells are looked at, since they may tell yes from no."""
        return [] if self.signal.says else looked_at(self.opened, self.ignored)

    def columns(self, said: Mapping[Role, str]) -> list[str]:
        """Says which column has which role, and of some what their cells are.

        Args:
            said: by role, what follows the name.
        """
        notes = [self.choice.note(role, said.get(role, "")) for role in ROLES if role in self.choice.fields]
        return notes + [f"{role}: column {field.name!r} (as asked)" for role, field in self.more.items()]

    def others(self, *, low: bool = True) -> list[str]:
        """Says what is ignored, what that may be used for, and what seems to say no.

        Args:
            low: whether a value may be 0 or below; False saves a look at them.
        """
        notes = []
        if self.ignored:
            free = [r for r in ROLES[2:] if r not in self.choice.fields and self.asked.get(r) != ""]
            notes = [f"ignored: {listed(self.ignored)}", *uses(self.ignored, free)]
        if not self.signal.says:
            value = self.choice.fields.get("value") if low else None
            notes += hints(self.opened, self.looked, value=value)
        return notes


def rows_dropped(role: Role, n: int) -> list[str]:
    """Says how many rows without an id were left out."""
    return [f"{role}: {counted(n, 'row')} without one left out"] if n else []


def words_for_nothing(opened: Opened, field: Field, *, role: Role) -> list[str]:
    """Returns a note on ids that are words for nothing, such as NULL."""
    bad = f"{is_nothing(opened, field)} AND trim({field.sql}) <> ''"
    n, row = opened.one(f"FROM {opened.table} SELECT count(*), min(rowid) WHERE {bad}")
    if not n:
        return []
    (word,) = opened.one(f"FROM {opened.table} SELECT {field.sql} WHERE rowid = {row}")
    return [
        f"{role}: {counted(n, 'row')} in which a word for nothing is taken as an id, the first {word!r} in "
        f"{opened.where(row)}; drop_nulls=True or --drop-nulls leaves them out"
    ]
