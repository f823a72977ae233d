"""This module puts declared features of candidates side by side: training and serving both call it."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from butaca.cores import cores
from butaca.rank.facts import TrainFacts
from butaca.rank.features import RankFeature
from butaca.rank.kinds import names_of
from butaca.rank.people import People
from butaca.rank.scene import Scene
from butaca.types import Bools, Codes, Floats, Ints

#: Persons that are computed at once; neighbours of their candidates stay in the processor's cache.
BLOCK = 16


def matrix(
    features: Sequence[RankFeature],
    facts: TrainFacts,
    *,
    people: People,
    candidates: Codes,
    scores: Floats,
    asked: Bools | None = None,
) -> Floats:
    """Returns all features of every candidate, float32 [R, F]: a person's after another's, -1 left out.

    Args:
        features: declared.
        facts: what is known.
        people: the persons [B].
        candidates: int32 [B, C]; -1 fills short lists.
        scores: the first stage's of these, float32 [B, C].
        asked: candidates that get a row, bool [B, C]; None: all. The others still count among the candidates.
    """
    rows = candidates >= 0 if asked is None else (candidates >= 0) & asked
    ends = np.concatenate([[0], np.cumsum(rows.sum(axis=1))])
    out = np.empty((int(ends[-1]), len(names_of(features, facts))), dtype=np.float32)

    def fill(at: int) -> None:
        part = slice(at, at + BLOCK)
        scene = Scene(facts, people.take(part), candidates[part], scores[part], rows[part])
        block = out[ends[at] : ends[min(at + BLOCK, len(people))]]
        column = 0
        for feature in features:
            for values in feature.columns(scene):
                block[:, column] = values
                column += 1

    starts = range(0, len(people), BLOCK)
    if len(starts) < 2:
        for at in starts:
            fill(at)
    else:
        with ThreadPoolExecutor(cores()) as threads:  # numpy lets go of the interpreter; blocks stand alone
            list(threads.map(fill, starts))
    return out


def candidates_of(scores: Floats, hidden: Sequence[Codes] | None, *, n: int) -> tuple[Codes, Floats]:
    """Returns the n best of each row of scores [B, N], less what is hidden: codes, scores [B, C], best first.

    Equal scores stand by code. -1 and -inf fill where fewer are left.
    """
    left: Floats = np.array(scores, dtype=np.float32)
    for row, codes in enumerate(hidden or ()):
        left[row, codes] = -np.inf
    n = min(n, left.shape[1])
    order: Ints = np.argsort(-left, axis=1, kind="stable")[:, :n]
    best: Floats = np.take_along_axis(left, order, axis=1)
    return np.where(best > -np.inf, order, -1).astype(np.int32), best
