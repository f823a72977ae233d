"""This module reads spans of time as people write them: 30d, 12h, 45m, 10s."""

from __future__ import annotations

import re

from butaca.errors import SettingError

_UNITS = {"s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0, "w": 604_800.0}


def seconds_of(text: str, what: str) -> float:
    """Returns the seconds of a span of time.

    >>> seconds_of("30d", "--keep-lists"), seconds_of("1.5h", "--keep-lists"), seconds_of("0", "--keep-lists")
    (2592000.0, 5400.0, 0.0)

    Raises:
        SettingError: it is none; `what` names what asked for it.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smhdw])", text.strip())
    if text.strip() == "0":
        return 0.0
    if found is None:
        raise SettingError(
            f"{what} is a number with a unit: s, m, h, d or w",
            repr(text[:40]),
            "Write for instance 30d or 12h",
        )
    return float(found[1]) * _UNITS[found[2]]
