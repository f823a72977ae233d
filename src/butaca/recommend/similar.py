"""This module finds the items whose vectors point most nearly the same way."""

from __future__ import annotations

import numpy as np

from butaca.index.interface import TopK
from butaca.index.selection import best
from butaca.recommend.trust import trust_of
from butaca.types import Bools, Floats


def most_similar(units: Floats, code: int, *, popularity: Floats, k: int, allowed: Bools | None) -> TopK:
    """Returns the items nearest to one, itself left out: cosines times the trust in the other item.

    Args:
        units: vectors of all items at length 1 [N, d].
        code: of the item.
        popularity: how many had each [N].
        k: how many.
        allowed: which may come back [N]; None: all.
    """
    cosine = (units @ units[code]) * trust_of(popularity)
    if allowed is not None:
        cosine[~allowed] = -np.inf
    cosine[code] = -np.inf
    items, scores = best(cosine, min(k, len(units)))
    keep = scores > -np.inf
    return TopK(items[keep][None].astype(np.int32), scores[keep][None])
