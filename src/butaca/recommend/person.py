"""This module says who a list is for: what is known of them, what they have had and want less of."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from butaca.checks import several, shown
from butaca.data.histories import Histories
from butaca.errors import SettingError
from butaca.types import Codes

#: What a rating or a time may be; True and False are none.
NUMBERS = (int, float, np.integer, np.floating)

#: Ratings are no further from 0.
LARGEST = 3e38

#: Times lie before this, in seconds: the year 30,000 and more.
LATEST = 1e12


class Given(NamedTuple):
    """A Given is one item of a history that was given.

    Attributes:
        item: id or title.
        value: the rating, if there was one.
        time: when, in seconds since 1970 UTC, fractions kept; None is now, after all that came before
            it in the list.
    """

    item: Any
    value: float | None = None
    time: float | None = None


@dataclass(frozen=True, eq=False)
class Person:
    """A Person is someone to recommend to.

    Attributes:
        code: of the user; the unknown user's for someone new.
        own: items of the stored history, as training left it [m].
        histories: one row, the stored history and what was given; None where nothing was given.
        given: codes of what was given, in its order, repeats left out.
        less: codes of what they want less of.
    """

    code: int
    own: Codes
    histories: Histories | None
    given: Codes
    less: Codes


def person_of(
    seen: Histories,
    code: int,
    *,
    find: Callable[[Any], int | None],
    known: Callable[[Any], int | None],
    history: Sequence[Any] | None = None,
    later: Sequence[Given] = (),
    less: Sequence[Any] = (),
) -> tuple[Person, list[int], tuple[str, ...]]:
    """Returns the person, the codes of `history` in its order, and what of it is not known.

    Args:
        seen: the stored histories.
        code: of the user; the unknown user's for someone new.
        find: gives the code of an item of `history` or `less`.
        known: gives that of an item of `later`, None where it is not known.
        history: given, as `Recommender.recommend` takes it.
        later: what the user has had since training.
        less: what they want less of.
    """
    own = seen[code]
    nothing = own[:0]
    if not (history or later or less):
        return Person(code, own, None, nothing, nothing), [], ()
    given, unknown = read(as_given(history or ()), find)
    since, _ = read(later, known)
    against, not_there = read(as_given(less), find)
    added = {**since, **{code: _again(since.get(code), one) for code, one in given.items()}}
    histories = extended(seen, code, added=added) if added else None
    person = Person(code, own, histories, distinct(list(added)), distinct(list(against)))
    return person, list(given), unknown + not_there


def _again(before: Given | None, now: Given) -> Given:
    """Returns what is known of an item that was had since training and is given again: as of a stored one.

    A rating and a time that are known of it stay, but for a later time that is given.
    """
    if before is None:
        return now
    times = [checked_time(given) for given in (before, now) if given.time is not None]
    late = None if before.time is None else max(times)  # None comes after all
    return Given(before.item, now.value if before.value is None else before.value, late)


def as_given(history: Iterable[Any] | str) -> list[Given]:
    """Reads a history as people write it: ids, titles, (item, value[, time]), or mappings of these.

    >>> as_given(["Toy Story", ("Aladdin", 4.0)])
    [Given(item='Toy Story', value=None, time=None), Given(item='Aladdin', value=4.0, time=None)]
    """
    out = []
    for one in several("A history", history):
        if isinstance(one, str):
            out.append(Given(one))
        elif isinstance(one, Given):
            out.append(one)
        elif isinstance(one, Mapping):
            out.append(Given(one.get("item"), one.get("value"), one.get("time")))
        elif isinstance(one, tuple | list):
            if not 1 <= len(one) <= 3:
                raise SettingError(
                    "An item of a history is an id or title, or (item, value, time)", shown(one)
                )
            out.append(Given(*one))
        else:
            out.append(Given(one))
    return out


def checked_time(given: Given) -> float:
    """Returns the time of an item that was given.

    Raises:
        SettingError: it is no number of seconds, or none that a calendar has.
    """
    when = given.time
    if isinstance(when, bool) or not isinstance(when, NUMBERS) or not abs(when) < LATEST:
        raise SettingError(
            "The time of an item in a history is in seconds since 1970 UTC",
            f"{shown(when)} for {shown(given.item)}",
            "Correct it, or leave it out for now",
        )
    return when


def checked_value(given: Given) -> float:
    """Returns the rating of an item that was given, nan where it has none.

    Raises:
        SettingError: it is no number, or none that float32 holds.
    """
    value = given.value
    if value is None:
        return math.nan
    number = isinstance(value, NUMBERS) and not isinstance(value, bool)
    if not number or abs(value) > LARGEST:
        raise SettingError(
            "The rating of an item in a history is a number",
            f"{shown(value)} for {shown(given.item)}",
            "Correct it, or leave it out for an item without one",
        )
    return float(value)


def distinct(codes: Sequence[int]) -> Codes:
    """Returns the codes in their order, repeats left out [m]."""
    return np.array(list(dict.fromkeys(codes)), dtype=np.int32)


def read(
    history: Sequence[Given], code_of: Callable[[Any], int | None]
) -> tuple[dict[int, Given], tuple[str, ...]]:
    """Returns what was given by code, the last of repeats, and what is not known."""
    found: dict[int, Given] = {}
    unknown = []
    for one in history:
        code = code_of(one.item)
        if code is None:
            unknown.append(str(one.item))
        else:
            found.pop(code, None)  # of repeats the last, in its place
            found[code] = one
    return found, tuple(unknown)


def extended(seen: Histories, user: int, *, added: Mapping[int, Given]) -> Histories:
    """Returns the stored history of a user with further items, one row; of these alone for someone new.

    What is stored of an item that was given again is kept, but for a later time that is given with it. Where
    the stored ones have values or times, so has the row: an item without a value counts as not rated, and
    those without a time come after all others, a second apart, in the order given.
    """
    had = seen[user]
    begin = int(seen.start[user]) if len(had) else 0
    at = slice(begin, begin + len(had))
    stored = {code: i for i, code in enumerate(had.tolist())}
    fresh = [code for code in added if code not in stored]
    value, time = seen.value, seen.time
    if value is not None:
        new = [checked_value(added[c]) for c in fresh]
        value = np.concatenate([value[at], np.array(new, dtype=np.float32)])
    if time is not None:
        known = [checked_time(given) for given in added.values() if given.time is not None]
        own = time[at].tolist()
        # the data's end for someone new
        now = max([*own, *known]) if own or known else seen.latest
        for code, given in added.items():
            if code in stored and given.time is not None:
                own[stored[code]] = max(own[stored[code]], given.time)
        times = []
        for code in fresh:
            when = added[code].time
            now += when is None
            times.append(now if when is None else when)
        kind = np.result_type(time, *(np.asarray(when).dtype for when in known)) if known else time.dtype
        time = np.array([*own, *times], dtype=kind)
    return Histories.of_one(np.concatenate([had, np.array(fresh, dtype=np.int32)]), value=value, time=time)
