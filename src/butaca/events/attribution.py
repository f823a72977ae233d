"""This module counts what came of what was shown, for each arm of an experiment.

An event is attributed to a recommendation if it carries its request_id, its item was in the list, and
its kind is positive. Opening the film by another way, or skipping it, does not count.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, and_, false, func, or_, select

from butaca.events.records import POSITIVE_KINDS
from butaca.events.schema import events, recommendations

#: The id of an item as an arm's model lists it, by whatever an event calls it.
Names = Mapping[str, Callable[[str], str]]


@dataclass(frozen=True)
class ArmCounts:
    """An ArmCounts holds what one arm of an experiment showed, and what came of it.

    Attributes:
        recommendations: lists shown.
        with_event: those with at least one attributed event.
        events: attributed events.
        users: how many asked; every anonymous request counts as somebody.
        squares: sum over users of (with_event_u - rate * recommendations_u)^2, the spread between users.
    """

    recommendations: int
    with_event: int
    events: int
    users: int
    squares: float


def count_arms(
    connection: Connection,
    since: int | None,
    *,
    models: Mapping[str, str] | None = None,
    names: Names | None = None,
) -> dict[str, ArmCounts]:
    """Returns the counts of every arm, by name, of the recommendations logged since a time.

    Args:
        connection: to read by.
        since: seconds, or None for all.
        models: of each arm that counts, the version whose lists do; None counts every arm and version.
        names: of each arm, what finds an item's id by what an event calls it, such as its title; without,
            events name items by the ids that were shown.
    """
    shown, e = recommendations.c, events.c
    period = [shown.arm.is_not(None)] + ([shown.time >= since] if since is not None else [])
    if models is not None:
        period.append(or_(false(), *(and_(shown.arm == a, shown.model == v) for a, v in models.items())))
    per_user: dict[str, dict[str | None, int]] = defaultdict(dict)
    grouped = select(shown.arm, shown.user_id, func.count()).where(*period).group_by(shown.arm, shown.user_id)
    for arm, user, count in connection.execute(grouped):
        per_user[arm][user] = count
    attributed: Counter[str] = Counter()
    led: dict[str, Counter[str | None]] = defaultdict(Counter)
    seen: set[str] = set()
    joined = (
        select(shown.request_id, shown.arm, shown.user_id, shown["items"], e.item_id)
        .join_from(recommendations, events, e.request_id == shown.request_id)
        .where(*period, e.kind.in_(POSITIVE_KINDS))
    )
    for request, arm, user, items, item in connection.execution_options(yield_per=10_000).execute(joined):
        listed = json.loads(items)
        if item in listed or (names is not None and arm in names and names[arm](item) in listed):
            attributed[arm] += 1
            if request not in seen:
                seen.add(request)
                led[arm][user] += 1
    return {arm: _counts(per_user[arm], led[arm], attributed[arm]) for arm in sorted(per_user)}


def _counts(shown: dict[str | None, int], led: Counter[str | None], attributed: int) -> ArmCounts:
    n, x = sum(shown.values()), sum(led.values())
    rate = x / n
    squares = sum((led[user] - rate * count) ** 2 for user, count in shown.items() if user is not None)
    nobody = shown.get(None, 0)  # each request on its own
    squares += led[None] * (1 - rate) ** 2 + (nobody - led[None]) * rate**2
    return ArmCounts(n, x, attributed, len(shown) - (None in shown) + nobody, squares)
