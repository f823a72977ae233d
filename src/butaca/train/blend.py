"""This module weighs what is personal against what is popular just now, by validation.

A tower trained to find what comes next knows least of what comes long after: there, and for people without a
history, what everyone has lately says more. So a score may be a blend,

    personal * (query . candidate)  +  term * (the item's learned term)  +  recent * log(its recent share)

with weights, and the half-life of recent popularity, chosen on a part of the training data that is held out
as the test side is. Nothing is trained anew: queries are scaled, and the term of each item is another.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from butaca.baselines.half_life import SHARES
from butaca.baselines.popularity import RecentPopularity
from butaca.data.dataset import Dataset
from butaca.data.histories import Histories, leaving_lists
from butaca.evaluate.protocol import evaluate_scorer
from butaca.types import Codes, Floats, Scorer

#: Weights that are tried: personal, and (term, recent).
PERSONAL = (1.0, 0.7, 0.4, 0.2)
OF_ITEMS = ((1.0, 0.0), (1.0, 0.5), (0.5, 0.5), (0.5, 1.0), (0.0, 1.0))

#: Measures that a blend is chosen by, the verdict's: their geometric mean.
MEASURES: tuple[tuple[str, int], ...] = (
    ("top_k_accuracy", 10),
    ("top_k_accuracy", 100),
    ("ndcg", 10),
    ("recall", 20),
)

#: Held-out users that it is chosen on, at most: a draw.
CHOOSING_USERS = 600


@dataclass(frozen=True)
class Blend:
    """A Blend says what a score is made of; the default is what training gives.

    Attributes:
        personal: weight of the product of the vectors.
        term: weight of each item's learned term.
        recent: weight of the logarithm of each item's recent share.
        half_life: of that recency, in seconds.
    """

    personal: float = 1.0
    term: float = 1.0
    recent: float = 0.0
    half_life: float = 0.0

    def of_items(self, term: Floats | None, share: Floats | None) -> Floats | None:
        """Returns the blended term of each item [N], of the learned one and its recent share, or None."""
        parts = ((term, self.term), (share, self.recent))
        weighed = [part * np.float32(weight) for part, weight in parts if part is not None]
        return sum(weighed[1:], start=weighed[0]) if weighed else None

    def share_in(self, train: Dataset) -> Floats | None:
        """Returns the logarithm of each item's recent share [N]; None where it does not count."""
        return recent_share(train, self.half_life) if self.recent else None


@dataclass(frozen=True, eq=False)
class Blended:
    """A Blended is a scorer's products with another weight and other terms of the items, as a Scorer.

    Attributes:
        products: scores without any term of the items.
        personal: their weight.
        term: of each item [N].
    """

    products: Scorer
    personal: float
    term: Floats

    @property
    def n_items(self) -> int:
        """Returns the size N of the catalogue."""
        return len(self.term)

    def score(self, users: Codes) -> Floats:
        """Returns scores [B, N] of user codes [B]."""
        out: Floats = self.products.score(users) * np.float32(self.personal) + self.term
        return out


def recent_share(train: Dataset, half_life: float) -> Floats:
    """Returns the logarithm of each item's recent share over an even one, float32 [N]."""
    counts = RecentPopularity(half_life).fit(train).weights + 0.5
    out: Floats = np.log(counts / counts.mean()).astype(np.float32)
    return out


def best_blend(
    products: Scorer, term: Floats | None, *, train: Dataset, validation: Dataset
) -> tuple[Blend, float]:
    """Returns the blend that is best on held-out pairs, and its value there.

    First the half-life, at weights in the middle; then the weights. Of equals, what comes first in the lists
    above wins.

    Args:
        products: scores of a model fitted on `train`, without any term of the items.
        term: the learned term [N], or None.
        train: with times.
        validation: pairs to find, in the same codes.
    """
    assert train.timestamp is not None
    seen = leaving_lists(Histories.of(train), again=train.again)
    validation = _of_some_users(validation)
    span = max(float(np.ptp(train.timestamp)), 1.0)
    learned = np.zeros(products.n_items, dtype=np.float32) if term is None else term
    shares = {share * span: recent_share(train, share * span) for share in SHARES}

    def value(blend: Blend) -> float:
        of_items = blend.of_items(learned, shares.get(blend.half_life))
        assert of_items is not None
        found = evaluate_scorer(Blended(products, blend.personal, of_items), validation, seen=seen)
        return math.exp(sum(math.log(max(found.metric(m, k), 1e-9)) for m, k in MEASURES) / len(MEASURES))

    middle = {half_life: value(Blend(0.4, 0.0, 1.0, half_life)) for half_life in shares}
    half_life = max(middle, key=lambda h: middle[h])
    tried = {blend: value(blend) for blend in _blends(half_life)}
    best = max(tried, key=lambda b: tried[b])
    return best, tried[best]


def _blends(half_life: float) -> Iterator[Blend]:
    """Yields the weights that are tried, what training gives first."""
    for term, recent in OF_ITEMS:
        for personal in PERSONAL:
            yield Blend(personal, term, recent, half_life if recent else 0.0)


def _of_some_users(validation: Dataset) -> Dataset:
    """Returns the pairs of CHOOSING_USERS users at most, a draw."""
    users = np.unique(validation.user)
    if len(users) <= CHOOSING_USERS:
        return validation
    drawn = np.random.default_rng(0).choice(users, CHOOSING_USERS, replace=False)
    return validation.take(np.flatnonzero(np.isin(validation.user, drawn)))
