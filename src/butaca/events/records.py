"""This module holds what goes into the store and comes out, as frozen records, and checks their fields."""

from __future__ import annotations

import math
import operator
import time as clock
from dataclasses import dataclass, field, replace
from typing import Any

from butaca.errors import SettingError

#: Kinds of event that say yes: a refit learns from them, and an experiment counts them.
POSITIVE_KINDS = ("watch", "rate", "like", "save", "click", "purchase")
#: Kinds that say no: kept and shown, never learned from as if the person had wanted the item.
NEGATIVE_KINDS = ("skip", "dislike")
KINDS = POSITIVE_KINDS + NEGATIVE_KINDS

#: Characters of an id: 2,048 bytes at most, which both databases' indexes hold.
MAX_TEXT = 512
#: The last second of the year 9999, UTC.
MAX_TIME = 253_402_300_799


def now() -> int:
    """Returns the seconds since 1970-01-01 UTC."""
    return int(clock.time())


@dataclass(frozen=True, slots=True)
class Event:
    """An Event is something that a person did with an item.

    Attributes:
        id: made by the client, so that sending it again changes nothing.
        user, item: raw ids, any text, kept as they came.
        kind: one of `KINDS`.
        value: a rating or a weight, or None.
        time: when it happened, whole seconds since 1970-01-01 UTC.
        request_id: of the recommendation that led here, if one did.
    """

    id: str
    user: str
    item: str
    kind: str = "watch"
    value: float | None = None
    time: int = field(default_factory=now)
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class Added:
    """An Added says how many events of a batch are `new`, and how many were `known` (or are repeats)."""

    new: int
    known: int


@dataclass(frozen=True, slots=True)
class Shown:
    """A Shown is a recommendation as it was answered.

    Attributes:
        request_id: what a later event points at.
        user: who asked, or None for an anonymous request.
        time: seconds since 1970-01-01 UTC.
        model: version of the model that answered.
        arm: of a running experiment, or None.
        source: the rung of the ladder that answered, such as "history" or "popularity".
        items: ids in the order shown.
    """

    request_id: str
    user: str | None
    time: int
    model: str
    arm: str | None
    source: str
    items: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Erased:
    """An Erased counts what an erasure removed: rows of events and of logged recommendations."""

    events: int
    recommendations: int


def checked_text(value: Any, what: str) -> str:
    """Returns an id as it came, if it is a text of 1 to 512 characters that UTF-8 can hold, without NUL.

    >>> checked_text("', DROP TABLE 🎬 ../..", "user")
    "', DROP TABLE 🎬 ../.."
    """
    if isinstance(value, str) and 0 < len(value) <= MAX_TEXT and "\0" not in value:
        if value.isascii():
            return value
        try:
            value.encode()
            return value
        except UnicodeEncodeError as error:
            received = f"{value[:80]!a}, with a lone surrogate at position {error.start}"
    elif not isinstance(value, str):
        received = f"{type(value).__name__} {ascii(value)[:80]}"
    elif not value:
        received = "an empty text"
    elif "\0" in value:
        received = f"{value[:80]!a}, with NUL at position {value.index(chr(0))}"
    else:
        received = f"{len(value):,} characters, starting {value[:40]!a}"
    raise SettingError(
        f"The {what} is a text of 1 to {MAX_TEXT} characters, without NUL and lone surrogates",
        received,
        "Send the id as text, or a digest of it where it is longer",
    )


def checked_time(value: Any, what: str) -> int:
    """Returns whole seconds since 1970, up to the end of the year 9999.

    >>> checked_time(881250949, "time")
    881250949
    """
    try:
        seconds = -1 if isinstance(value, bool) else operator.index(value)
    except TypeError:
        seconds = -1
    if not 0 <= seconds <= MAX_TIME:
        raise SettingError(
            f"The {what} is whole seconds since 1970-01-01 UTC, up to the year 9999",
            ascii(value)[:80],
            "Convert it to seconds (milliseconds: divide by 1000)",
        )
    return seconds


def _checked_value(value: Any, what: str) -> float | None:
    if value is None:
        return None
    try:
        number = math.nan if isinstance(value, bool | str | bytes) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise SettingError(
            f"The {what} is a finite number or None", ascii(value)[:80], "Leave it out or mend it"
        )
    return number


def checked_event(event: Event, at: str = "event") -> Event:
    """Returns the event with its fields checked; `at` names it in errors ("event 3 of the batch")."""
    if event.kind not in KINDS:
        raise SettingError(
            f"The kind of {at} is one of {', '.join(KINDS)}",
            ascii(event.kind)[:80],
            "Use the nearest of them",
        )
    checked_text(event.id, f"id of {at}")
    checked_text(event.user, f"user of {at}")
    checked_text(event.item, f"item of {at}")
    if event.request_id is not None:
        checked_text(event.request_id, f"request_id of {at}")
    time, value = checked_time(event.time, f"time of {at}"), _checked_value(event.value, f"value of {at}")
    return event if time is event.time and value is event.value else replace(event, time=time, value=value)


def checked_shown(row: Shown) -> Shown:
    """Returns the logged recommendation with its fields checked."""
    checked_text(row.request_id, "request_id")
    checked_text(row.model, "model")
    checked_text(row.source, "source")
    for value, what in ((row.user, "user"), (row.arm, "arm")):
        if value is not None:
            checked_text(value, what)
    items = tuple(checked_text(item, "item shown") for item in row.items)
    return replace(row, time=checked_time(row.time, "time"), items=items)
