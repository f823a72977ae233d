"""This module finds which column is the user, item, value or time: by request, name, type or position.

Names are compared without case, accents, blanks and punctuation ("User ID", "user_id" and "userId" are
one). Each role has tiers of names, the surest first: a table with both `movie_id` and `title` is about
`movie_id`. Two columns in the same tier are ambiguous, and the caller is asked.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from butaca.data.columns.names import (
    IF_NUMBERS,
    NAMES,
    POSITIONS,
    REQUIRED,
    ROLES,
    Held,
    Kind,
    Role,
    goes_by,
    plain,
)
from butaca.errors import TableError

# What a column must hold to be considered for a role. Text may hold numbers or times: cells decide.
FITS: Mapping[Role, frozenset[Kind]] = {
    "user": frozenset({"text", "whole", "real"}),
    "item": frozenset({"text", "whole", "real"}),
    "value": frozenset({"text", "whole", "real", "bool"}),
    "time": frozenset({"text", "whole", "real", "time"}),
}
MOST = 10  # columns that a message names


@dataclass(frozen=True)
class Field:
    """A Field is one column of an opened table.

    Attributes:
        name: as the source calls it.
        sql: as the queries call it, "c0", "c1", ...
        kind: what it holds; of a text file, what its first lines seem to hold.
        of: for lists, the kind of their members.
    """

    name: str
    sql: str
    kind: Kind
    of: Kind = "other"


@dataclass(frozen=True)
class ColumnChoice:
    """Holds the column of each role, and how each was found, such as "by name"."""

    fields: Mapping[Role, Field]
    how: Mapping[Role, str]

    def note(self, role: Role, more: str = "") -> str:
        """Returns a line for `Dataset.notes`: user: column 'userId' (by name)."""
        return f"{role}: column {self.fields[role].name!r} ({self.how[role]}){more}"


def is_value(field: Field) -> bool:
    """Returns whether a column's name is one of those that ratings and amounts go by."""
    return any(goes_by(field.name, tier) for tier in NAMES["value"])


def is_time(field: Field) -> bool:
    """Returns whether a column's name is one of those that times go by."""
    return any(goes_by(field.name, tier) for tier in NAMES["time"])


def named(fields: Sequence[Field], name: str) -> Field | None:
    """Returns the column of that name, to the letter or else, where it is the only one, in plain letters."""
    exact = [f for f in fields if f.name == name]
    alike = [f for f in fields if plain(name) and plain(f.name) == plain(name)]
    found = exact or alike
    return found[0] if len(found) == 1 else None


def by_name(fields: Sequence[Field], role: Role, *, label: str, describes: bool = False) -> Field | None:
    """Returns the column whose name is the role's; of two in the same tier the caller must choose.

    In a table that describes users or items, a bare "id" is surer than their names and titles.
    """
    *ids, names = NAMES[role]
    for tier in (*ids, frozenset({"id"} if describes else ()), names):
        found = [f for f in fields if goes_by(f.name, tier) and f.kind in FITS[role]]
        if len(found) > 1:
            raise _ambiguous(role, found, label)
        if found:
            return found[0]
    if role == "value":
        found = [f for f in fields if goes_by(f.name, IF_NUMBERS) and f.kind in {"whole", "real"}]
        return found[0] if len(found) == 1 else None
    usual = [f for f in fields if any(goes_by(f.name, tier) for tier in NAMES[role])]
    return usual[0] if role in REQUIRED and len(usual) == 1 else None  # `ids` says what is wrong with it


def choose(
    fields: Sequence[Field],
    label: str,
    *,
    asked: Mapping[Role, str | None],
    preferred: Mapping[Role, str] | None = None,
    has_names: bool = True,
    first: Mapping[str, Held] | None = None,
    told: Mapping[Role, str] | None = None,
    is_text: bool = True,
) -> ColumnChoice:
    """Finds the columns of a table of interactions.

    Args:
        fields: the columns, in the order of the table.
        label: the table's name in messages.
        asked: the caller's own choice by role; an empty name for value or time means: none.
        preferred: names to look for before the usual ones, such as the ids of a model.
        has_names: False where the file has no header line: columns then count by position.
        first: what the first rows of a column say it is, such as an item where all begin with "item".
        told: the columns that a wide table was made of, by role.
        is_text: whether it is a text file, whose cells something separates.

    Raises:
        TableError: a column is missing, is used twice, or could be one of several.
    """
    taken: dict[Role, Field] = {}
    how: dict[Role, str] = {}

    def take(role: Role, field: Field | None, reason: str) -> None:
        if field is not None:
            taken[role], how[role] = field, reason

    def left() -> list[Field]:
        return [f for f in fields if f not in taken.values()]

    wanted = [r for r in ROLES if r in REQUIRED or asked.get(r) != ""]
    for role in ROLES:
        name = asked.get(role)
        if name or (name == "" and role in REQUIRED):
            take(role, _asked(fields, role, name, label), "as asked")
    _refuse_twice(taken)
    for role in wanted:
        if role not in taken and told:
            take(role, named(left(), told.get(role, "")), "of a wide table")
    for role in wanted:
        if role not in taken and preferred and role in preferred:
            take(role, named(left(), preferred[role]), "by the model's name")
    if not has_names and not taken and 2 <= len(fields) <= 4:
        return _by_position(fields, wanted, held=first or {}, label=label)
    for role in wanted:
        if role not in taken:
            take(role, by_name(left(), role, label=label), "by name")
    if "time" in wanted and "time" not in taken:
        times = [f for f in left() if f.kind == "time"]
        if len(times) > 1:
            raise _ambiguous("time", times, label)
        take("time", times[0] if times else None, "by type: the only one that holds times")
    for role in REQUIRED:
        if role not in taken:
            raise _missing(fields, role, label, has_names, left(), is_text=is_text)
    return ColumnChoice(taken, how)


def _by_position(
    fields: Sequence[Field], wanted: Sequence[Role], *, held: Mapping[str, Held], label: str
) -> ColumnChoice:
    """Takes user, item, value, time, as MovieLens' u.data; the only column that holds times is the time.

    Where the first two of the others hold what says that they are an item and a user, they are.

    Raises:
        TableError: a user or an item would be numbers with fractions, as in a matrix of ratings.
    """
    moments = [f for f in fields if f.kind == "time"]
    others = [f for f in fields if f not in moments] if len(moments) == 1 else list(fields)
    if len(others) < len(REQUIRED):
        raise _missing(fields, "item", label, False, others, is_text=True)
    kinds = [f for f in others[2:] if held.get(f.name) == "kind"]  # of an event, which is no value
    others = [f for f in others if f not in kinds]
    first, second = others[:2]
    for field in (first, second):
        if held.get(field.name) == "value":
            raise TableError(
                "Without a line of names the user and the item come first, text or whole numbers",
                f"{label}, whose {field.name} holds numbers with fractions",
                "Give the file a first line that names its columns; a table of users x items is read with "
                "wide=True (--wide)",
            )
    one, two = held.get(first.name), held.get(second.name)
    is_swapped = (one == "item" and two != "item") or (two == "user" and one != "user")
    order: list[Role] = ["item", "user", "value"] if is_swapped else ["user", "item", "value"]
    if len(moments) != 1:
        order[2:] = ["time"] if kinds else ["value", "time"]
    pairs = [(r, f) for r, f in zip(order, others, strict=False) if r in wanted]
    if len(moments) == 1 and "time" in wanted:
        pairs.append(("time", moments[0]))
    names = dict(zip(ROLES, POSITIONS, strict=True))
    how = {r: f"{f.name} by position, for want of a header line" for r, f in pairs}
    how["user"] += f"; if it is the item, pass user_column={second.name!r} and item_column={first.name!r}"
    if is_swapped:
        how |= {r: f"{f.name} by what its cells say, for want of a header line" for r, f in pairs[:2]}
    return ColumnChoice({r: Field(names[r], f.sql, f.kind) for r, f in pairs}, how)


def flag(role: Role) -> str:
    """Returns how to name a column in Python and on the command line."""
    return f"{role}_column=... in Python or --{role}-column on the command line"


def listed(fields: Sequence[Field]) -> str:
    """Returns the names of columns, for messages."""
    more = f" and {len(fields) - MOST:,} more" if len(fields) > MOST + 1 else ""
    shown = fields[:MOST] if more else fields
    return ", ".join(repr(f.name) for f in shown) + more or "none"


def _asked(fields: Sequence[Field], role: Role, name: str, label: str) -> Field:
    found = named(fields, name)
    if found is not None:
        return found
    close = difflib.get_close_matches(name, [f.name for f in fields], n=1)
    raise TableError(
        f"The {role} column is one of the table's own",
        f"{name!r}, while {label} has the columns {listed(fields)}",
        (f"Did you mean {close[0]!r}? " if close else "") + f"Name one of those with {flag(role)}",
    )


def looks_wide(left: Sequence[Field]) -> bool:
    """Returns whether columns without a role may be items: lists, records, very many, or mostly numbers."""
    numbers = [f for f in left if f.kind in {"whole", "real"} and plain(f.name) not in {"id", "index"}]
    return (
        any(f.kind == "list" for f in left)
        or (bool(left) and all(f.kind == "other" for f in left))
        or len(left) > 2 * MOST
        or (len(numbers) > 1 and 2 * len(numbers) >= len(left))
    )


def _refuse_twice(taken: Mapping[Role, Field]) -> None:
    for role, field in taken.items():
        others = [r for r, f in taken.items() if f == field and r != role]
        if others:
            raise TableError(
                "User, item, value and time are different columns",
                f"column {field.name!r} as {role} and as {others[0]}",
                f"Name another column with {flag(others[0])}",
            )


def _ambiguous(role: Role, found: Sequence[Field], label: str) -> TableError:
    optional = "" if role in REQUIRED else "; an empty name means none"
    return TableError(
        f"One column of {label} is the {role}",
        f"columns {listed(found)}, any of which could be",
        f"Name the right one with {flag(role)}{optional}",
    )


def _missing(
    fields: Sequence[Field],
    role: Role,
    label: str,
    has_names: bool,
    left: Sequence[Field],
    *,
    is_text: bool,
) -> TableError:
    nameless = "" if has_names else ", or give the file a first line that names its columns"
    cure = f"Name it with {flag(role)}{nameless}"
    possible = [f for f in left if f.kind in FITS[role]]
    if len(possible) == 1:
        cure = f"If {possible[0].name!r} is it, say so with {flag(role)}{nameless}"
    if len(fields) == 1 and is_text:
        cure += "; if a mark separates its cells, pass it with sep=... (--sep)"
    if looks_wide(left) and (has_names or len(left) > 2 * MOST):
        cure += "; a table of users x items, or of lists of items, is read with wide=True (--wide)"
    return TableError(
        "A table of interactions has a user and an item column",
        f"{label} with the columns {listed(fields)}, none of which is known to be the {role}",
        cure,
    )
