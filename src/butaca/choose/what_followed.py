"""This module scores a slice's users by what followed upon what they had (model/followers.py).

It is counted, not trained, so that it is tried beside any tower where what comes next is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from butaca.choose.slices import ValidationSlice
from butaca.model.followers import FollowerSettings, followers
from butaca.model.query import QueryTower
from butaca.types import Floats

#: Later items with which one of a history counts half, that are tried.
HALF_LIVES: Sequence[float] = (3.0, 1.0)


def follower_scores(part: ValidationSlice) -> Mapping[float, Floats]:
    """Returns what it adds to the scores of the slice's users by half-life [R, N]; nothing without times."""
    n_items = len(part.train.items)
    if part.seen.time is None:
        return {}
    found = followers(part.seen, n_items=n_items, settings=FollowerSettings())
    out = {}
    for half_life in HALF_LIVES:
        pairs = replace(found, half_life=half_life)
        tower = QueryTower(np.zeros((1, 0), np.float32), pairs=pairs, pairs_scale=1.0)
        added = np.zeros((len(part.users), n_items), dtype=np.float32)
        terms = tower.terms(part.users, part.seen)
        if terms is not None:
            terms.add_to(added)
        out[half_life] = added
    return out
