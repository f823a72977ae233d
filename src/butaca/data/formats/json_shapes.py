"""This module reads JSON that is a table by columns, or wraps one, as pandas and services write it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from butaca.data.columns.names import is_known

DEEPEST = 4  # mappings within mappings that a list of records is looked for in


def as_columns(text: str) -> Mapping[str, Sequence[Any]] | None:
    """Returns the columns of JSON that is a table otherwise than by records; None where it is none.

    | the JSON | as written by |
    |---|---|
    | {"user": {"0": "ana"}, "item": {"0": 7}} | `DataFrame.to_json()` |
    | {"user": ["ana"], "item": [7]} | `to_dict("list")` |
    | {"columns": ["user", "item"], "data": [["ana", 7]]} | `to_json(orient="split")` |
    | {"data": [{"user": "ana", "item": 7}]}, also further within | services |

    >>> as_columns('{"columns": ["user", "item"], "data": [["ana", 7]]}')
    {'user': ['ana'], 'item': [7]}
    """
    try:
        found = json.loads(text)
    except ValueError:
        return None
    if not isinstance(found, dict):
        return None
    names, rows = found.get("columns"), found.get("data")
    if isinstance(names, list) and isinstance(rows, list) and rows:
        if all(isinstance(row, list) and len(row) == len(names) for row in rows):
            return {str(name): [row[at] for row in rows] for at, name in enumerate(names)}
        return None
    lists = list(_lists(found, DEEPEST))
    if len(lists) == 1 and all(isinstance(one, dict) for one in lists[0]):
        keys = dict.fromkeys(key for one in lists[0] for key in one)
        return {key: [one.get(key) for one in lists[0]] for key in keys}
    if sum(map(is_known, found)) < 2:
        return None
    if all(isinstance(v, list) for v in found.values()) and len({len(v) for v in found.values()}) == 1:
        return found
    if all(isinstance(v, dict) for v in found.values()):
        keys = dict.fromkeys(key for v in found.values() for key in v)
        return {name: [v.get(key) for key in keys] for name, v in found.items()}
    return None


def _lists(found: Mapping[str, Any], depth: int) -> Iterator[list[Any]]:
    """Yields the lists that JSON holds, down to a depth."""
    for inner in found.values():
        if isinstance(inner, list) and inner:
            yield inner
        elif isinstance(inner, dict) and depth > 1:
            yield from _lists(inner, depth - 1)
