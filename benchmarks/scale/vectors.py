"""This module makes the vectors of large catalogues: those of a trained model, repeated, and random ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from butaca import load_movielens, recipe
from butaca.recommend.recommender import Recommender
from butaca.types import Floats

#: Dimensions of every vector, and how many queries there are.
DIMENSIONS, JUDGED = 64, 200


@dataclass(frozen=True)
class VectorSet:
    """A VectorSet holds vectors [N, d], their bias [N] or None, and queries [Q, d]."""

    vectors: Floats
    bias: Floats | None
    queries: Floats


def trained(n: int, seed: int = 0) -> VectorSet:
    """Returns a small catalogue's vectors, grown."""
    data = load_movielens("100k")
    towers, _ = recipe("default").for_data(data).fit(data)
    model = Recommender.build(towers, data)
    leading = np.linalg.svd(model.item_vectors, full_matrices=False)[2][:DIMENSIONS].T
    titles, users = model.item_vectors @ leading, model.user_vectors[:-1] @ leading
    bias = np.zeros(len(titles), np.float32) if model.item_bias is None else model.item_bias
    squares = np.sum(titles**2, axis=1)
    apart = squares[:, None] + squares - 2 * titles @ titles.T
    np.fill_diagonal(apart, np.inf)
    nearest = np.sqrt(np.maximum(apart.min(axis=1), 0))
    rng = np.random.default_rng(seed)
    of = np.arange(n) % len(titles)
    vectors = rng.standard_normal((n, titles.shape[1]), dtype=np.float32)
    vectors *= (nearest[of] / np.sqrt(titles.shape[1])).astype(np.float32)[:, None]
    vectors += titles[of]
    grown = bias[of] + rng.standard_normal(n, dtype=np.float32) * np.float32(bias.std() / 10)
    queries = users[rng.permutation(len(users))[:JUDGED]]
    return VectorSet(vectors, grown.astype(np.float32), np.ascontiguousarray(queries, np.float32))


def random(n: int, seed: int = 0) -> VectorSet:
    """Returns vectors without structure."""
    rng = np.random.default_rng(seed)
    vectors = rng.standard_normal((n, DIMENSIONS), dtype=np.float32)
    return VectorSet(vectors, None, rng.standard_normal((JUDGED, DIMENSIONS), dtype=np.float32))
