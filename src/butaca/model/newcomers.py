"""This module gives people without a history, by what is known of them, the vectors of people like them.

A tower that reads histories knows nothing of someone who has had nothing, but a table of users may say an age
or a country. Over the users with histories a ridge regression maps such columns to query vectors,

    query vector  =  intercept + x W

as model/cold.py maps an item's features to its vectors, and like there nothing else changes: whoever has a
history is answered from it alone. A user counts by the logarithm of the interactions. The regression is a
linear smoother, so what it would give each user if it had not seen that one is known in closed form, from the
smoother S, as (S y - S_ii y_i) / (1 - S_ii) (Allen's PRESS, 1974): by that the ridge is chosen, and by that
`choose` finds out on validation whether the columns say anything (choose/newcomers.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from butaca.data.dataset import Entities
from butaca.model.cold import (
    MAX_COLUMNS,
    RIDGES,
    Doubles,
    block_scales,
    encoded_rows,
    features_of,
    fill_unknown,
    in_scores,
)
from butaca.model.features import Encoder, Feature
from butaca.types import Floats, Ints, Values

#: Users that the map is fitted on, at most.
MAX_USERS = 10_000

#: Rows that are encoded at once.
BLOCK = 4096


@dataclass(frozen=True, eq=False)
class Smoother:
    """A Smoother holds a ridge regression on what is known of some users, before it is told of what.

    Attributes:
        x: their columns, centred and scaled, float64 [n, F].
        weight: of each user [n], 1 on average.
        turn: eigenvectors of x^T (weight x), [F, F'].
        values: its eigenvalues [F'].
    """

    x: Doubles
    weight: Doubles
    turn: Doubles
    values: Doubles

    @classmethod
    def of(cls, x: Doubles, weight: Doubles) -> Smoother:
        """Returns that of columns [n, F], scaled, and weights [n]."""
        weight = weight / weight.mean()
        centred = x - weight @ x / len(x)
        values, turn = np.linalg.eigh(centred.T @ (centred * weight[:, None]))
        return cls(centred, weight, turn, np.maximum(values, 0.0))

    def matrix(self, ridge: float) -> Doubles:
        """Returns S [n, n]: the fitted values are S y, the intercept included."""
        across = self.x @ self.turn
        inside: Doubles = (across / (self.values + ridge)) @ across.T + 1.0 / len(self.x)
        return inside * self.weight

    def left_out(self, y: Values, ridge: float) -> Values:
        """Returns for each user what all the others say of it: [n, t] -> [n, t], of the kind of y."""
        smoother = self.matrix(ridge)
        own = np.minimum(np.diag(smoother), 1 - 1e-6).copy()
        np.fill_diagonal(smoother, 0.0)
        out: Values = (smoother / (1.0 - own)[:, None]).astype(y.dtype) @ y
        return out

    def ridge(self, y: Doubles) -> float:
        """Returns the ridge whose leave-one-out error of y [n, t] is least."""
        errors = [float(self.weight @ np.square(self.left_out(y, r) - y).sum(axis=1)) for r in RIDGES]
        return RIDGES[int(np.argmin(errors))]


@dataclass(frozen=True, eq=False)
class Newcomers:
    """Maps what is known of users to query vectors; call it with the table of users and some of its rows.

    Attributes:
        encoders: of the columns.
        weights: float32 [F, D], the map.
        intercept: float32 [D].
    """

    encoders: tuple[Encoder, ...]
    weights: Floats
    intercept: Floats

    def __call__(self, users: Entities, rows: Ints) -> Floats:
        """Returns query vectors of some rows of a table, float32 [n, D]."""
        parts = [
            encoded_rows(self.encoders, users, rows=rows[a : a + BLOCK]) @ self.weights + self.intercept
            for a in range(0, len(rows), BLOCK)
        ]
        out: Floats = np.concatenate(parts) if parts else np.zeros((0, len(self.intercept)), np.float32)
        return out.astype(np.float32)


def features_of_users(users: Entities) -> tuple[Feature, ...]:
    """Returns features of what a table says of users, by the kinds of its columns; ids are none."""
    return tuple(feature for feature in features_of(users) if feature.column != users.key)


def smoother_of(
    features: Sequence[Feature], users: Entities, *, rows: Ints, count: Ints
) -> tuple[tuple[Encoder, ...], Smoother, tuple[Doubles, Doubles, Ints]]:
    """Returns the regression on the columns of some users.

    Args:
        features: columns of the users' table.
        users: the table.
        rows: which of its rows [n].
        count: interactions of each of these [n].

    Returns:
        The encoders, the regression, and what was taken of x: its mean [F], scale [F] and columns [F'].
    """
    encoders = tuple(feature.fit(users) for feature in features)
    x = encoded_rows(encoders, users, rows=rows).astype(np.float64)
    weight = np.log1p(count.astype(np.float64))
    kept = np.sort(np.argsort(-np.abs(x).sum(axis=0), kind="stable")[:MAX_COLUMNS])
    scale = block_scales(x, encoders)
    mean = weight @ x / weight.sum()
    return encoders, Smoother.of(x[:, kept] * scale[kept], weight), (mean, scale, kept)


def fit_newcomers(
    features: Sequence[Feature], users: Entities, *, count: Ints, vectors: Floats, items: Floats
) -> Newcomers | None:
    """Fits the map on the users that have interactions; returns None where fewer than two have.

    Args:
        features: columns of the users' table.
        users: all U users.
        count: interactions of each [U].
        vectors: query vectors [U, D]; those of users without interactions are not read.
        items: candidate vectors of some items [M, D], which say what an error of a query vector costs.
    """
    known = np.flatnonzero(count)
    if not features or len(known) < 2:
        return None
    known = known[np.linspace(0, len(known) - 1, min(len(known), MAX_USERS)).astype(np.int64)]
    encoders, smoother, (mean, scale, kept) = smoother_of(features, users, rows=known, count=count[known])
    y = vectors[known].astype(np.float64)
    weight = smoother.weight
    middle = weight @ y / len(y)
    ridge = _ridge(smoother, (y - middle) @ in_scores(items, False).T)
    target = smoother.turn.T @ (smoother.x.T @ (weight[:, None] * (y - middle)))
    w = np.zeros((len(mean), y.shape[1]))
    w[kept] = scale[kept, None] * (smoother.turn @ (target / (smoother.values + ridge)[:, None]))
    fill_unknown(w, mean, encoders=encoders)
    return Newcomers(encoders, w.astype(np.float32), (middle - mean @ w).astype(np.float32))


def _ridge(smoother: Smoother, y: Doubles) -> float:
    """Returns the best ridge, from an even draw of users where they are many: the matrix is n x n."""
    n, most = len(y), 2000
    if n <= most:
        return smoother.ridge(y)
    at = np.linspace(0, n - 1, most).astype(np.int64)
    return Smoother.of(smoother.x[at], smoother.weight[at]).ridge(y[at])
