"""This module says what the service's events count, as a Signal has it: in the way of a table's rows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from butaca.data.dataset import Dataset
from butaca.data.merge import with_interactions, with_negatives
from butaca.data.negatives import Negatives
from butaca.data.settled import Told, settle, unless_even
from butaca.data.signal import NEGATIVE, Signal
from butaca.types import Floats

if TYPE_CHECKING:  # a database
    from butaca.events.interactions import Interactions

#: Kinds that say no by themselves, where a signal does not name kinds.
SAYS_NO = ("dislike",)


@dataclass(frozen=True, eq=False)
class EventsTold:
    """Holds events as they count: the positives, how much each does, and those that say no.

    Attributes:
        positives: each pair once, unless people have things again.
        weight: of each, or None.
        negatives: each pair once.
        notes: what was decided.
    """

    positives: Interactions
    weight: Floats | None
    negatives: Interactions
    notes: tuple[str, ...]


def kinds_for(signal: Signal) -> tuple[str, ...] | None:
    """Returns the kinds of event to read; None: those that say yes, as where nothing is said.

    Where kinds are named, the others are read too, to say how many count nothing.
    """
    if not signal.says:
        return None
    from butaca.events.records import KINDS, POSITIVE_KINDS

    return tuple(dict.fromkeys([*signal.events, *KINDS])) if signal.events else (*POSITIVE_KINDS, *SAYS_NO)


def counted_events(events: Interactions, signal: Signal) -> EventsTold:
    """Returns events as they count.

    Args:
        events: with their kinds; those without a value are positives of the amount 1.
        signal: what counts as what; `event_column` is the kind, `weight_column` the value.
    """
    if not signal.says:
        return EventsTold(events, None, events.take(np.zeros(0, np.int64)), ())
    said = dict(signal.events) or dict.fromkeys(sorted(set(events.kind.tolist())), 1.0) | dict.fromkeys(
        SAYS_NO, NEGATIVE
    )
    if all(weight == NEGATIVE for weight in said.values()):
        said["watch"] = 1.0
    place = {kind: n for n, kind in enumerate(said)}
    weights = np.array([np.nan if w == NEGATIVE else float(w) for w in said.values()])
    user, item = (
        np.unique(ids.astype(str), return_inverse=True)[1].astype(np.int32)
        for ids in (events.user, events.item)
    )
    amount = None
    if signal.weight_column is not None:
        amount = np.where(np.isfinite(events.value), events.value, 1.0)
    told = Told(
        user,
        item,
        events.value.astype(np.float32),
        events.time,
        np.array([place.get(kind, -1) for kind in events.kind.tolist()], dtype=np.int32),
        amount,
    )
    found = settle(told, signal, n_items=int(item.max(initial=0)) + 1, weights=weights)
    no = np.zeros(0, np.int64) if found.negative is None else found.negative
    return EventsTold(events.take(found.rows), found.each, events.take(no), found.came.notes(signal))


def as_table(counted: EventsTold) -> tuple[dict[str, Any], Signal]:
    """Returns positives as a table of their own, and the signal that reads it as it counts."""
    events = counted.positives
    table: dict[str, Any] = {"user_id": events.user, "item_id": events.item, "timestamp": events.time}
    if np.isfinite(events.value).all():
        table["rating"] = events.value
    if counted.weight is not None:
        table["weight"] = counted.weight
    return table, Signal(weight_column=None if counted.weight is None else "weight", curve="linear")


def joined_with(data: Dataset, counted: EventsTold, *, item: list[Any], no_item: list[Any]) -> Dataset:
    """Returns data with events as they count.

    Args:
        data: to begin with.
        counted: the events.
        item: the ids that the positives' items mean in the data.
        no_item: likewise of the negatives.
    """
    events, no = counted.positives, counted.negatives
    more = with_interactions(
        data, user=events.user, item=item, value=events.value, timestamp=events.time, weight=counted.weight
    )
    if more.weight is not None:
        more = replace(more, weight=unless_even(more.weight))
    more = replace(more, notes=(*more.notes, *(f"events: {note}" for note in counted.notes)))
    return and_negatives(more, no, item=no_item)


def and_negatives(data: Dataset, no: Interactions, *, item: list[Any]) -> Dataset:
    """Returns data with events that say no.

    Args:
        data: to begin with.
        no: the events.
        item: the ids that their items mean in the data.
    """
    if not len(no) and data.negatives is None:
        return data
    users, items = data.users.ids.encode(no.user.tolist()), data.items.ids.encode(item)
    known = (users != data.users.ids.unknown) & (items != data.items.ids.unknown)
    time = None if data.timestamp is None else no.time[known]
    return with_negatives(data, Negatives(users[known], items[known], time))
