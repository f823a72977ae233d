"""This module checks the settings of what counts beside the trained tower."""

from __future__ import annotations

import math
from typing import Any

from butaca.checks import check_fields
from butaca.errors import SettingError

#: The largest weight, in parts of the trained tower's scores: beside more, float32, of 7 digits, would hold
#: hardly anything of those, and far beyond it no score at all.
MOST_WEIGHT = 1e6


def is_weight(value: float) -> bool:
    """Returns whether a number can weigh scores: from 0 to `MOST_WEIGHT`.

    >>> [is_weight(value) for value in (0.0, 0.5, -1.0, 1e60, math.nan)]
    [True, True, False, False, False]
    """
    return 0 <= value <= MOST_WEIGHT


def check_pair_settings(record: Any, *, subject: str) -> None:
    """Checks settings of single pairs of items: a weight, and other numbers, which are above 0 and finite.

    Args:
        record: a dataclass, whose first field is `weight`.
        subject: what counts, as the error begins: "Neighbours count".

    Raises:
        SettingError: a number is of another kind, or outside its range.
    """
    check_fields(record)
    numbers = dict(vars(record))
    weight = numbers.pop("weight")
    if is_weight(weight) and all(0 < number < math.inf for number in numbers.values()):
        return
    *others, last = numbers
    raise SettingError(
        f"{subject} with a weight from 0 to {MOST_WEIGHT:,.0f}, and {', '.join(others)} and {last} above 0",
        ", ".join(f"{name}={number}" for name, number in vars(record).items()),
        f"Try {type(record).__name__}()",
    )
