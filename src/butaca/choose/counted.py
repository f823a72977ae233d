"""This module scores a slice's users by single pairs of items that are counted, not trained.

They are tried beside any tower: what followed upon what they had where what comes next is asked for
(model/followers.py), what its neighbours say of each item where the closed form can't see the whole
catalogue (model/neighbours.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from butaca.choose.mixture import PairKind
from butaca.choose.slices import ValidationSlice
from butaca.model.followers import FollowerSettings, followers
from butaca.model.neighbours import NeighbourSettings, neighbours
from butaca.model.ridge import RIDGE_ITEMS
from butaca.types import Floats

#: Later items with which one of a history counts half, that are tried.
HALF_LIVES: Sequence[float] = (3.0, 1.0)

#: Items above which neighbours are not looked for: a system for each takes minutes.
MOST_ITEMS = 200_000


def counted_scores(part: ValidationSlice, *, future: bool) -> Mapping[PairKind, Floats]:
    """Returns what each kind of pairs adds to the scores of the slice's users [R, N].

    Args:
        part: the slice.
        future: whether what comes next is asked for.
    """
    out: dict[PairKind, Floats] = {}
    n_items = len(part.train.items)
    if future and part.seen.time is not None:
        found = followers(part.seen, n_items=n_items, settings=FollowerSettings())
        for half_life in HALF_LIVES:
            pairs = replace(found, half_life=half_life)
            out[PairKind("followers", half_life)] = pairs.scores(part.users, part.seen)
    if RIDGE_ITEMS < n_items <= MOST_ITEMS:
        near = neighbours(part.seen, n_items=n_items, settings=NeighbourSettings())
        out[PairKind("neighbours")] = near.scores(part.users, part.seen)
    return out
