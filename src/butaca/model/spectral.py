"""This module computes the spectral start (docs/architecture.md), and the tower that it is by itself.

Two items belong together if users have them close to each other. With a user's items in order of time,
at positions p and q,

    K[i, j] = sum over users u  n_u ** (-2 user_power) * sum over its p: i, q: j  w_p w_q exp(-|p - q| / span)

(w are the roots of the interactions' weights, 1 where they have none) so that with a wide span K is X^T X,
plain co-occurrence, and with a narrow one what was had in the same sitting counts most. (Item2vec, Barkan and
Koenigstein 2016, learns from such neighbourhoods too; here they are summed in closed form.) What has the same
time is one moment, whose items all stand in its middle: neither their ids nor the order of rows tells them
apart. Its eigenvectors after dividing rows and columns by degree ** item_power,

    D^-b K D^-b = V S V^T,   D = number of interactions of each item, or their weights,

are what towers start from: item vectors V sqrt(S), the same for the history and the candidate side.

They also are a history tower of their own, in closed form. Ridge regression of histories on themselves
(EASE, Steck 2019) is the filter f = S / (S + ridge) on the same spectrum, and EASE's zero diagonal divides
candidate j by 1 - sum_k f_k V_jk^2 (the share of j that j itself explains). With few dimensions it needs no
inverse of items x items. Where one is affordable, form="ridge" takes it and cuts the whole regression to few
dimensions (model/ridge.py), which keeps more of what few people had.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from butaca.model import ridge, subspace
from butaca.model.closeness import SortedInteractions, whole_kernel, windows
from butaca.model.pairs import ItemPairs
from butaca.model.spectral_settings import SpectralSettings
from butaca.types import Codes, Floats, Times

#: Up to this many items K is one dense matrix; beyond, it is applied through overlapping windows.
DENSE_ITEMS = 4096

#: Vectors beyond those asked for, and passes of subspace iteration (Halko, Martinsson and Tropp 2011).
OVERSAMPLE, PASSES = 16, 6

#: Passes over histories that may lie on the disk: every fourth block, every second, and all of them twice
#: (docs/decisions/016-training-at-scale.md has what that costs).
READING_PASSES = (4, 2, 1, 1)


class Spectrum(NamedTuple):
    """A Spectrum holds eigenvectors, and of form "ridge" the closed-form tower too.

    Attributes:
        vectors: [N, k].
        values: falling [k].
        degree: interactions of each item [N].
        table, candidates: of a ridge regression, cut [N, dim]; else None.
        pair_start, pair_item, pair_weight: the pairs that it keeps (`ItemPairs`), if it does.
    """

    vectors: Floats
    values: Floats
    degree: Floats
    table: Floats | None = None
    candidates: Floats | None = None
    pair_start: Codes | None = None
    pair_item: Codes | None = None
    pair_weight: Floats | None = None

    @property
    def pairs(self) -> ItemPairs | None:
        """Returns the pairs of items, None where none are kept."""
        if self.pair_start is None or self.pair_item is None or self.pair_weight is None:
            return None
        return ItemPairs(self.pair_start, self.pair_item, self.pair_weight)


def decompose(
    user: Codes,
    item: Codes,
    *,
    time: Times | None,
    n_items: int,
    dim: int,
    settings: SpectralSettings,
    seed: int = 0,
    weight: Floats | None = None,
) -> Spectrum:
    """Returns the `dim` leading eigenvectors of D^-b K D^-b; the same input gives the same bits.

    Args:
        user: code of each interaction's user [n].
        item: and of its item [n].
        time: of each [n]; None takes whole histories.
        n_items: N.
        dim: k; no more than N are found.
        settings: span and powers, and of form "ridge" the whole closed form.
        seed: of the first random subspace.
        weight: how much each interaction counts [n]; None: all the same.
    """
    longest = int(np.bincount(user, minlength=1).max())
    span = settings.span if time is not None else np.inf
    whole = span > 1000 * longest  # flat to a thousandth
    had = SortedInteractions.of(
        user,
        item,
        time=None if whole else time,
        weight=weight,
        in_place=whole and n_items > DENSE_ITEMS,
    )
    settings = replace(settings, span=span)
    wanted = settings.form == "ridge" and settings.dim > 0
    kernel = None
    if n_items <= DENSE_ITEMS and (dim or wanted):
        kernel = whole_kernel(had, n_items=n_items, span=span, power=settings.user_power)
    degree = had.degree(n_items)
    vectors, values = np.zeros((n_items, 0), np.float32), np.zeros(0, np.float32)
    if dim:
        rng = np.random.default_rng([seed, 3])
        first = rng.normal(size=(n_items, min(dim + OVERSAMPLE, n_items))).astype(np.float32)
        scale = (np.maximum(degree, 1.0) ** -settings.item_power).astype(np.float32)
        values, vectors = _leading(had, kernel, scale=scale, first=first, settings=settings)
    found = Spectrum(vectors[:, :dim], np.maximum(values[:dim], 0.0), degree)
    if not wanted:
        return found
    whole_one = ridge.regression(had, n_items=n_items, settings=settings, kernel=kernel)
    table, candidates, pairs = whole_one.towers(settings)
    found = found._replace(table=table, candidates=candidates)
    if pairs is None:
        return found
    return found._replace(pair_start=pairs.start, pair_item=pairs.item, pair_weight=pairs.weight)


def _leading(
    had: SortedInteractions, kernel: Array | None, *, scale: Floats, first: Floats, settings: SpectralSettings
) -> tuple[Floats, Floats]:
    """Returns eigenvalues, falling [k], and eigenvectors [N, k] of diag(scale) K diag(scale).

    Args:
        had: the interactions.
        kernel: K, where it is one matrix.
        scale: of each item [N].
        first: the subspace to begin with [N, k].
        settings: span and powers.
    """
    if kernel is not None:
        values, vectors = _iterate(kernel, jnp.asarray(scale), jnp.asarray(first))
        return np.asarray(values), np.asarray(vectors)
    n_items, span, power = len(scale), settings.span, settings.user_power
    if span > 1000 * int(had.count.max()):
        start = np.append(0, np.cumsum(had.count))
        blocks = subspace.histories(had.item, start, n_items=n_items, power=power, weight=had.own)
    else:
        rows = windows(
            had.user,
            had.item,
            count=had.count,
            n_items=n_items,
            span=span,
            power=power,
            place=had.place,
            own=had.own,
        )
        blocks = subspace.in_blocks(rows)
    many = had.in_place and len(blocks) >= 8
    return subspace.leading(blocks, scale, first=first, strides=READING_PASSES if many else (1,) * PASSES)


def start_vectors(spectrum: Spectrum, dim: int, *, size: float = 0.05) -> Floats:
    """Returns V sqrt(S) at root-mean-square `size`, [N, dim]; dimensions that the data lack are zero."""
    vectors = spectrum.vectors[:, :dim] * np.sqrt(spectrum.values[:dim])
    rms = float(np.sqrt(np.mean(np.square(vectors)))) or 1.0
    out = np.zeros((len(vectors), dim), dtype=np.float32)
    out[:, : vectors.shape[1]] = vectors * (size / rms)
    return out


def closed_form(spectrum: Spectrum, settings: SpectralSettings) -> tuple[Floats, Floats]:
    """Returns the tower in closed form: history table [N, k] and candidate vectors [N, k]."""
    if spectrum.table is not None and spectrum.candidates is not None:
        return spectrum.table, spectrum.candidates
    k = min(settings.dim, spectrum.vectors.shape[1])
    vectors, values = spectrum.vectors[:, :k], spectrum.values[:k]
    ridge = settings.ridge * float(values.mean())
    keep = values / np.maximum(values + ridge, 1e-12)  # the filter f [k]
    alone = np.maximum(1.0 - np.square(vectors) @ keep, 0.05)  # what others explain of each item [N]
    degree = np.maximum(spectrum.degree, 1.0)[:, None]
    history = vectors * keep / degree**settings.history_power
    candidate = vectors / alone[:, None] ** settings.leave_out * degree**settings.candidate_power
    return history.astype(np.float32), candidate.astype(np.float32)


@jax.jit
def _iterate(gram: Array, scale: Array, first: Array) -> tuple[Array, Array]:
    """Finds the leading eigenvalues [k] and vectors [N, k] of diag(scale) K diag(scale)."""
    gram = scale[:, None] * gram * scale
    basis = lax.fori_loop(0, PASSES, lambda _, q: jnp.linalg.qr(gram @ q)[0], jnp.linalg.qr(first)[0])
    values, turn = jnp.linalg.eigh(basis.T @ (gram @ basis))
    vectors: Array = basis @ turn
    return values[::-1], vectors[:, ::-1]
