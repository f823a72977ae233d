"""This module says what columns that are not read could be used for."""

from __future__ import annotations

from collections.abc import Sequence

from butaca.data.columns.names import (
    Role,
    goes_by,
    words,
)
from butaca.data.columns.roles import Field, flag, is_time, is_value, listed


def describes_users(field: Field) -> bool:
    """Returns whether a column's name is one of those that describe people."""
    return goes_by(field.name, _HINTS[1][0])


_HINTS: tuple[tuple[frozenset[str], str], ...] = (
    (
        words("price precio genre genres genero category categoria brand marca description descripcion year")
        | words(
            "colour author autor publisher title titulo name nombre unitprice productname itemname tags size"
        ),
        "describe items: a table of them, one row each, is given with items= (--items)",
    ),
    (
        words(
            "age edad gender sex sexo country pais city ciudad zip zipcode occupation state region postcode"
        ),
        "describe users: a table of them, one row each, is given with users= (--users)",
    ),
)


def uses(ignored: Sequence[Field], may_be: Sequence[Role]) -> list[str]:
    """Returns a note for each way in which columns that are not read could be: these roles, and features."""
    out = []
    for names, use in _HINTS:
        found = [f for f in ignored if goes_by(f.name, names)]
        if found:
            out.append(f"ignored columns that may {use}: {listed(found)}")
    for role in may_be:
        may = [f for f in ignored if f.kind == "time" or is_time(f)]
        if role == "value":
            may = [f for f in ignored if is_value(f)]
        if may:
            out.append(f"ignored columns that may be the {role}: {listed(may)}; say so with {flag(role)}")
    return out
