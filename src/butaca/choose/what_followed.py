"""This module scores a slice's users by what followed upon what they had (model/followers.py).

It is counted, not trained, so that it is tried beside any tower where what comes next is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from butaca.choose.slices import ValidationSlice
from butaca.model.followers import FollowerSettings, followers
from butaca.types import Floats

#: Later items with which one of a history counts half, that are tried.
HALF_LIVES: Sequence[float] = (3.0, 1.0)


def follower_scores(part: ValidationSlice) -> Mapping[float, Floats]:
    """Returns what it adds to the scores of the slice's users by half-life [R, N]; nothing without times."""
    if part.seen.time is None:
        return {}
    found = followers(part.seen, n_items=len(part.train.items), settings=FollowerSettings())
    return {each: replace(found, half_life=each).scores(part.users, part.seen) for each in HALF_LIVES}
