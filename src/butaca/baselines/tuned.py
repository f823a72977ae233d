"""This module tunes iALS by a short search on the training side, held out as the split is made."""

from __future__ import annotations

import math

import numpy as np

from butaca.baselines.ials import IALS
from butaca.data.dataset import Dataset
from butaca.data.histories import Histories
from butaca.data.splits import validation_split
from butaca.errors import SplitError
from butaca.evaluate.protocol import evaluate_scorer
from butaca.evaluate.verdict import MEASURES

#: Weights of the pairs that nobody had, the first for the search of a strength; then the others with that, up
#: to the first that is better. Strengths: the first two, then the next in the direction of the better.
#: A strength is alpha * l2 * sqrt(U N), what the penalty of a row that nobody had comes to: the best was 4 to
#: 13 on MovieLens 100K, MovieTweetings and Online Retail, whose U and N are far apart.
ALPHAS: tuple[float, ...] = (0.3, 0.1, 0.9)
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
    """Fits iALS with the weights that a search of five finds best; also returns from how many users.

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
    alpha, strength = _best(train, split)
    drawn, n_users = _some_users(train, FIT_PAIRS)
    dim = min(DIMS[len(drawn) > WIDE_PAIRS], len(train.items))
    found = IALS(dim, alpha, l2=_penalty(alpha, strength, drawn), nu=1.0, epochs=EPOCHS, steps=STEPS).fit(
        drawn
    )
    return (found if drawn is train else found.answering(seen)), n_users


def _penalty(alpha: float, strength: float, train: Dataset) -> float:
    """Returns the l2 of a strength."""
    return strength / (alpha * math.sqrt(len(np.unique(train.user)) * len(train.items)))


def _best(train: Dataset, split: str) -> tuple[float, float]:
    """Returns alpha and the strength that find most, or the first where nothing can be held out."""
    middle = ALPHAS[0], STRENGTHS[0]
    if len(ALPHAS) == 1:
        return middle
    try:
        before, after = validation_split(_some_users(train, TRIAL_PAIRS)[0], split, share=TRIAL_SHARE)
    except SplitError:
        return middle
    users = np.unique(after.user)
    if len(users) > TRIAL_USERS:
        users = np.random.default_rng(0).choice(users, TRIAL_USERS, replace=False)
        after = after.take(np.flatnonzero(np.isin(after.user, users)))
    seen, worth = Histories.of(before), dict[tuple[float, float], float]()

    def try_out(*trials: tuple[float, float]) -> tuple[float, float]:
        """Fits and judges each, and returns the best of all so far: of those about as good the strongest.

        More dimensions than a trial's ask for a stronger penalty.
        """
        for alpha, strength in trials:
            l2, dim = _penalty(alpha, strength, before), min(TRIAL_DIM, len(train.items))
            model = IALS(dim, alpha, l2=l2, nu=1.0, epochs=TRIAL_EPOCHS, steps=STEPS).fit(before)
            judged = evaluate_scorer(model, after, seen=seen)
            logs = [np.log(judged.metric(metric, k) + 1e-9) for metric, k, _ in MEASURES]
            worth[alpha, strength] = float(np.mean(logs))
        best = max(worth.values())
        return max((t for t in worth if worth[t] >= best - EQUAL), key=lambda t: (t[1], worth[t]))

    usual, (low, high, lower, higher) = ALPHAS[0], STRENGTHS
    _, strength = try_out((usual, low), (usual, high))
    _, strength = try_out((usual, higher if strength == high else lower))
    best = middle
    for alpha in ALPHAS[1:]:
        best = try_out((alpha, strength))
        if best[0] == alpha:
            break
    return best


def _some_users(train: Dataset, most: int) -> tuple[Dataset, int]:
    """Returns the interactions of a draw of users, about so many at most, and how many users have any."""
    users = np.unique(train.user)
    if len(train) <= most:
        return train, len(users)
    n = max(int(len(users) * most / len(train)), 1)
    drawn = np.random.default_rng(0).choice(users, n, replace=False)
    return train.take(np.flatnonzero(np.isin(train.user, drawn))), n
