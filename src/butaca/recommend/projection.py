"""This module maps vectors: by two principal components, or an exact t-SNE of some two thousand."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from butaca.cores import one_blas_thread
from butaca.model.query import unit
from butaca.types import Floats, Ints

#: Principal components that t-SNE starts from.
COMPONENTS = 30

#: Fewer points than this are drawn by their principal components.
LEAST = 8

#: Neighbours that a point attends to, softly counted.
PERPLEXITY = 30.0

#: Steps with attraction exaggerated, which sorts the clusters, and steps after them.
EARLY, LATE = 90, 260

#: Rows of the distance matrix held at once: 128 x 2,000 of 4 bytes stay in the processor's cache.
BLOCK = 128

Map = NDArray[np.float64]


def principal(vectors: Floats, n: int) -> Map:
    """Returns the first n principal components [N, n], each axis's largest entry positive.

    >>> principal(np.array([[3, 0], [-3, 0], [0, 1], [0, -1]], dtype=np.float32), 1).round().ravel()
    array([ 3., -3., -0., -0.])
    """
    centred = vectors.astype(np.float64) - vectors.mean(axis=0, dtype=np.float64)
    u, s, _ = np.linalg.svd(centred, full_matrices=False)
    out = np.zeros((len(vectors), n))
    found = (u * s)[:, :n]
    signs = np.sign(found[np.abs(found).argmax(axis=0), np.arange(found.shape[1])]) if len(found) else 1
    out[:, : found.shape[1]] = found * signs
    return out


def project(vectors: Floats, seed: int = 0) -> tuple[Map, Literal["t-SNE", "PCA"]]:
    """Returns two coordinates of each row [N, 2] by the direction of its vector, and how they were found."""
    rows = unit(vectors)
    if len(rows) < LEAST:
        return principal(rows, 2), "PCA"
    with one_blas_thread():  # thousands of products of some 128 x 2,000
        reduced = principal(rows, min(COMPONENTS, rows.shape[1]))
        return tsne(reduced, seed=seed), "t-SNE"


def affinities(points: Map, perplexity: float) -> sparse.csr_array:
    """Returns the symmetric neighbour probabilities [N, N], sparse, of sum 1.

    p(j | i) falls off as exp(-beta_i |x_i - x_j|^2) over the 3 * perplexity nearest, with beta_i found
    by bisection so that its entropy is log(perplexity) (van der Maaten and Hinton 2008).
    """
    n = len(points)
    k = min(n - 1, int(3 * perplexity))
    near, distance = _nearest(points, k)
    distance = distance - distance[:, :1]
    scale = np.maximum(distance.mean(axis=1, keepdims=True), 1e-12)
    distance = distance / scale
    low, high = np.full((n, 1), -12.0), np.full((n, 1), 12.0)  # of log beta
    for _ in range(40):
        middle = (low + high) / 2
        p = np.exp(-np.exp(middle) * distance)
        p /= p.sum(axis=1, keepdims=True)
        entropy = -(p * np.log(np.maximum(p, 1e-300))).sum(axis=1, keepdims=True)
        wide = entropy > np.log(perplexity)
        low, high = np.where(wide, middle, low), np.where(wide, high, middle)
    rows = np.repeat(np.arange(n), k)
    one_way = sparse.csr_array((p.ravel(), (rows, near.ravel())), shape=(n, n))
    return sparse.csr_array((one_way + one_way.T) / (2 * n))


def tsne(points: Map, perplexity: float = PERPLEXITY, *, seed: int = 0) -> Map:
    """Returns exact t-SNE [N, 2] (van der Maaten and Hinton 2008), from the first two components.

    Attraction runs over the sparse affinities; repulsion over all pairs, a block of rows at a time:

        dC/dy_i = 4 sum_j (p_ij - w_ij / Z) w_ij (y_i - y_j),   w_ij = 1 / (1 + |y_i - y_j|^2)
    """
    n = len(points)
    joint = affinities(points, min(perplexity, max((n - 1) / 3, 2.0)))
    row = np.repeat(np.arange(n, dtype=np.int32), np.diff(joint.indptr))
    rng = np.random.default_rng(seed)
    start = points[:, :2]
    y = start / max(float(start[:, 0].std()), 1e-12) * 1e-2 + rng.normal(scale=1e-4, size=(n, 2))
    step, gains, rate = np.zeros_like(y), np.ones_like(y), max(n / 48.0, 20.0)
    for turn in range(EARLY + LATE):
        x = y.astype(np.float32)
        across, down = x[:, 0], x[:, 1]
        square = (across[row] - across[joint.indices]) ** 2 + (down[row] - down[joint.indices]) ** 2
        pull = sparse.csr_array((joint.data / (1 + square), joint.indices, joint.indptr), shape=(n, n))
        attraction = pull.sum(axis=1)[:, None] * y - pull @ y
        attraction *= 12.0 if turn < EARLY else 1.0
        gradient = 4 * (attraction - repulsion(y))
        gains = np.where(np.sign(gradient) != np.sign(step), gains + 0.2, gains * 0.8).clip(0.01)
        step = (0.5 if turn < EARLY else 0.8) * step - rate * gains * gradient
        y = y + step
        y -= y.mean(axis=0)
    return y


def repulsion(y: Map) -> Map:
    """Returns sum_j w_ij^2 (y_i - y_j) / Z, [N, 2], Z the sum of w over all pairs."""
    n = len(y)
    y32 = y.astype(np.float32)
    square = (y32**2).sum(axis=1)
    ones = np.ones(n, dtype=np.float32)
    left = np.stack([y32[:, 0], y32[:, 1], square, ones], axis=1)
    right = np.stack([-2 * y32[:, 0], -2 * y32[:, 1], ones, square + 1], axis=1)  # left @ right.T = 1 + d^2
    sums = np.stack([y32[:, 0], y32[:, 1], ones], axis=1)
    total, moments = -float(n), np.empty((n, 3))
    for at in range(0, n, BLOCK):
        w = left[at : at + BLOCK] @ right.T
        np.maximum(w, 1.0, out=w)
        np.reciprocal(w, out=w)
        total += float(w.sum(dtype=np.float64))
        np.square(w, out=w)
        moments[at : at + BLOCK] = w @ sums
    return (y * moments[:, 2:] - moments[:, :2]) / max(total, 1e-12)


def _nearest(points: Map, k: int) -> tuple[Ints, Map]:
    """Returns the k nearest of each point, itself left out: rows [N, k], squared distance [N, k]."""
    square = (points**2).sum(axis=1)
    distance = np.maximum(square[:, None] + square - 2 * points @ points.T, 0)
    np.fill_diagonal(distance, np.inf)
    near: Ints = np.argsort(distance, axis=1, kind="stable")[:, :k]
    return near, np.take_along_axis(distance, near, axis=1)


def neighbours(vectors: Floats, of: Ints, *, k: int, trust: Floats | None = None) -> tuple[Ints, Floats]:
    """Returns the k rows of [N, d] with the highest cosine to each row `of` [M], less itself: [M, k] each.

    With `trust` [N] a cosine counts times that of the other row (`trust_of`).
    """
    rows = unit(vectors)
    k = min(k, max(len(rows) - 1, 0))
    cosine = rows[of] @ rows.T
    if trust is not None:
        cosine *= trust
    cosine[np.arange(len(of)), of] = -np.inf
    near: Ints = np.argsort(-cosine, axis=1, kind="stable")[:, :k]
    return near, np.take_along_axis(cosine, near, axis=1)
