"""This module says who a list is for: what is known of them, what they have had and want less of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from butaca.checks import several
from butaca.data.histories import Histories
from butaca.errors import SettingError
from butaca.types import Codes


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
    added = {**since, **given}
    histories = extended(seen, code, added=added) if added else None
    person = Person(code, own, histories, distinct(list(added)), distinct(list(against)))
    return person, list(given), unknown + not_there


def as_given(history: Iterable[Any] | str) -> list[Given]:
    """Reads a history as people write it: ids, titles, (item, value[, time]), or mappings of these.

    >>> as_given(["Toy Story", ("Aladdin", 4.0)])
    [Given(item='Toy Story', value=None, time=None), Given(item='Aladdin', value=4.0, time=None)]
    """
    out = []
    for one in several("A history", history):
        if isinstance(one, Given):
            out.append(one)
        elif isinstance(one, Mapping):
            out.append(Given(one.get("item"), one.get("value"), one.get("time")))
        elif isinstance(one, tuple | list):
            if not 1 <= len(one) <= 3:
                raise SettingError(
                    "An item of a history is an id or title, or (item, value, time)", repr(one)[:80]
                )
            out.append(Given(*one))
        else:
            out.append(Given(one))
    return out


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
            found[code] = one
    return found, tuple(unknown)


def extended(seen: Histories, user: int, *, added: Mapping[int, Given]) -> Histories:
    """Returns the stored history of a user with further items, one row; of these alone for someone new.

    What is stored of an item that was given again is kept, but for a later time that is given with it. Where
    the stored ones have values or times, so has the row: an item without a value counts as not rated, and
    those without a time come after all others, a second apart, in the order given.
    """
    _, at = seen.rows(np.array([user], dtype=np.int32))
    had = seen.items[at]
    stored = {code: i for i, code in enumerate(had.tolist())}
    fresh = [code for code in added if code not in stored]
    value, time = seen.value, seen.time
    if value is not None:
        new = [np.nan if added[c].value is None else added[c].value for c in fresh]
        value = np.concatenate([value[at], np.array(new, dtype=np.float32)])
    if time is not None:
        known = [given.time for given in added.values() if given.time is not None]
        own = time[at].tolist()
        now = max([*own, *known], default=time.max(initial=0).item())  # the data's end for someone new
        for code, given in added.items():
            if code in stored and given.time is not None:
                own[stored[code]] = max(own[stored[code]], given.time)
        times = []
        for code in fresh:
            when = added[code].time
            now += when is None
            times.append(now if when is None else when)
        kind = np.result_type(time, *(np.asarray(when).dtype for when in known))
        time = np.array([*own, *times], dtype=kind)
    items = np.concatenate([had, np.array(fresh, dtype=np.int32)])
    return Histories.from_pairs(np.zeros(len(items), np.int32), items, n_users=1, value=value, time=time)
