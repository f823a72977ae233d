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

import functools
import math
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
import scipy.sparse as sp
from jax import Array, lax

from butaca.checks import check_fields
from butaca.data.histories import in_order
from butaca.errors import SettingError
from butaca.model import ridge, subspace
from butaca.types import Codes, Floats, Ints, Times

#: Up to this many items K is one dense matrix; beyond, it is applied through overlapping windows.
DENSE_ITEMS = 4096

#: Vectors beyond those asked for, and passes of subspace iteration (Halko, Martinsson and Tropp 2011).
OVERSAMPLE, PASSES = 16, 6

#: Passes over histories that may lie on the disk: every fourth block, every second, and all of them twice
#: (docs/decisions/016-training-at-scale.md has what that costs).
READING_PASSES = (4, 2, 1, 1)


#: The closed form: a filter on leading eigenvectors, or a whole ridge regression, cut.
Form: TypeAlias = Literal["filter", "ridge"]


@dataclass(frozen=True)
class SpectralSettings:
    """Says how items are compared, and the closed-form tower's shape; chosen by validation (docs/tuning.md).

    Attributes:
        span: positions over which closeness in time falls by e; inf, or data without times, takes
            whole histories.
        user_power: a history of n items counts n ** -user_power (squared in K).
        item_power: the b above; 0.5 divides by the degrees in full.
        dim: dimensions of the closed-form tower; 0 leaves it out, and the decomposition only starts
            the trained one.
        weight: spread of the closed-form tower's scores over a user's candidates, in parts of the
            trained tower's.
        ridge: of the filter, in parts of the mean kept eigenvalue; of form "ridge", of the mean diagonal.
        leave_out: power of the division by 1 - sum f V^2; 1 is EASE's zero diagonal, 0 none.
        history_power: an item of the history counts degree ** -history_power.
        candidate_power: a candidate counts degree ** candidate_power.
        form: "filter", on the leading eigenvectors, or "ridge", the whole regression cut to `dim`
            (model/ridge.py), of the 4,096 items with most interactions.
    """

    span: float = 16.3
    user_power: float = 0.019
    item_power: float = 0.341
    dim: int = 36
    weight: float = 0.155
    ridge: float = 0.0834
    leave_out: float = 0.434
    history_power: float = 0.21
    candidate_power: float = 0.435
    form: Form = "filter"

    def __post_init__(self) -> None:
        check_fields(self)
        for name, value in vars(self).items():
            if isinstance(value, str):
                continue
            finite = math.isfinite(value) or (name == "span" and value == math.inf)
            negative = value < 0 if name in ("dim", "weight", "ridge") else name == "span" and value <= 0
            if negative or not finite:
                raise SettingError(
                    "A spectral span is above 0, its dim, weight and ridge are 0 or more, its powers finite",
                    f"{name}={value}",
                )


class Spectrum(NamedTuple):
    """A Spectrum holds eigenvectors, and of form "ridge" the closed-form tower too.

    Attributes:
        vectors: [N, k].
        values: falling [k].
        degree: interactions of each item [N].
        table, candidates: of a ridge regression, cut [N, dim]; else None.
    """

    vectors: Floats
    values: Floats
    degree: Floats
    table: Floats | None = None
    candidates: Floats | None = None


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
    span = settings.span if time is not None else np.inf
    count = np.bincount(user, minlength=1)
    worth = None if weight is None else weight / weight.mean(dtype=np.float64)
    own = None if worth is None else np.sqrt(worth).astype(np.float32)
    degree = np.bincount(item, worth, minlength=n_items).astype(np.float32)
    scale = (np.maximum(degree, 1.0) ** -settings.item_power).astype(np.float32)
    k = min(dim + OVERSAMPLE, n_items)
    power = settings.user_power
    rng = np.random.default_rng([seed, 3])
    first = rng.normal(size=(n_items, k)).astype(np.float32)
    whole = span > 1000 * int(count.max())  # flat to a thousandth
    in_place = whole and n_items > DENSE_ITEMS and in_order(user, item)
    if not in_place:
        order = np.lexsort((item, user) if time is None else (item, time, user))
        user, item = user[order], item[order]
        own = None if own is None else own[order]
    place = None if time is None or whole else moments(user, time[order])
    if not dim:
        values, vectors = np.zeros(0, np.float32), np.zeros((n_items, 0), np.float32)
    elif n_items <= DENSE_ITEMS:
        kernel = whole_kernel(
            user, item, count=count, n_items=n_items, span=span, power=power, place=place, own=own
        )
        values, vectors = (np.asarray(x) for x in _iterate(kernel, jnp.asarray(scale), jnp.asarray(first)))
    else:
        blocks = (
            subspace.histories(item, np.append(0, np.cumsum(count)), n_items=n_items, power=power, weight=own)
            if whole
            else subspace.in_blocks(
                windows(
                    user, item, count=count, n_items=n_items, span=span, power=power, place=place, own=own
                )
            )
        )
        values, vectors = subspace.leading(
            blocks,
            scale,
            first=first,
            strides=READING_PASSES if in_place and len(blocks) >= 8 else (1,) * PASSES,
        )
    table, candidates = (
        ridge_towers(
            user,
            item,
            count=count,
            n_items=n_items,
            settings=replace(settings, span=span),
            place=place,
            own=own,
        )
        if settings.form == "ridge" and settings.dim
        else (None, None)
    )
    return Spectrum(vectors[:, :dim], np.maximum(values[:dim], 0.0), degree, table, candidates)


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


def moments(user: Codes, time: Times) -> Floats | None:
    """Returns the place of each interaction among its user's: the middle of all that have its time.

    None where nothing has the time of another, so that places count up.

    >>> moments(np.array([0, 0, 0, 1]), np.array([5, 5, 7, 5])).tolist()
    [0.5, 0.5, 2.0, 0.0]

    Args:
        user: of each interaction, ascending [n].
        time: of each, ascending within a user.
    """
    new_user = np.append(True, user[1:] != user[:-1])
    new = new_user | np.append(True, time[1:] != time[:-1])
    if new.all():
        return None
    start = np.flatnonzero(new)
    end = np.append(start[1:], len(user))
    middle = np.repeat((start + end - 1) / 2, end - start)
    begin = np.flatnonzero(new_user)
    begin_of = np.repeat(begin, np.diff(np.append(begin, len(user))))
    found: Floats = (middle - begin_of).astype(np.float32)
    return found


def ridge_towers(
    user: Codes,
    item: Codes,
    *,
    count: Ints,
    n_items: int,
    settings: SpectralSettings,
    place: Floats | None = None,
    own: Floats | None = None,
) -> tuple[Floats, Floats]:
    """Returns the history table and the candidate vectors [N, k] of a whole ridge regression, cut.

    Args:
        user: of each interaction, sorted by user and time [n].
        item: and its item [n].
        count: interactions of each user.
        n_items: N.
        settings: of form "ridge"; the span is infinite where there are no times.
        place: of each interaction among its user's (`moments`), or None.
        own: the root of its weight, or None.
    """
    worth = None if own is None else np.square(own, dtype=np.float64)
    degree = np.bincount(item, worth, minlength=n_items).astype(np.float32)
    kept = np.sort(np.argsort(-degree, kind="stable")[: ridge.RIDGE_ITEMS])
    if len(kept) < n_items:
        row = np.full(n_items, -1, dtype=np.int32)
        row[kept] = np.arange(len(kept), dtype=np.int32)
        of_kept = row[item] >= 0
        user, item, degree = user[of_kept], row[item[of_kept]], degree[kept]
        place = None if place is None else place[of_kept]
        own = None if own is None else own[of_kept]
    gram = whole_kernel(
        user,
        item,
        count=count,
        n_items=len(kept),
        span=settings.span,
        power=settings.user_power,
        place=place,
        own=own,
    )
    scale = np.maximum(degree, 1.0) ** np.float32(-settings.item_power)
    weights = ridge.item_weights(
        np.asarray(gram) * scale[:, None] * scale, degree, ridge=settings.ridge, leave_out=settings.leave_out
    )
    had = np.maximum(degree, 1.0)
    weights *= (had ** np.float32(-settings.history_power))[:, None]
    weights *= had ** np.float32(settings.candidate_power)
    histories = sp.csr_matrix((np.ones(len(item), np.float32), (user, item)), (len(count), len(kept)))
    table, candidates = ridge.cut(weights, histories, dim=settings.dim, seed=0)
    out = np.zeros((2, n_items, table.shape[1]), dtype=np.float32)
    out[:, kept] = table, candidates
    return out[0], out[1]


def whole_kernel(
    user: Codes,
    item: Codes,
    *,
    count: Ints,
    n_items: int,
    span: float,
    power: float,
    place: Floats | None = None,
    own: Floats | None = None,
) -> Array:
    """Returns K [N, N] of interactions sorted by user and time, with places and roots of weights if any."""
    weight = (count[user] ** (-2.0 * power)).astype(np.float32)  # [n]
    longest = int(np.bincount(user).max(initial=1)) if len(user) else 1
    reach = min(longest - 1, int(min(8 * span, 2**30)))
    if place is not None:
        reach = _apart(user, place, 8 * span)
    if span > 1000 * longest:  # flat to a thousandth: K = X^T X
        had = np.sqrt(weight) if own is None else np.sqrt(weight) * own
        x = sp.csr_matrix((had, (user, item)), shape=(int(user.max(initial=0)) + 1, n_items))
        return jnp.asarray((x.T @ x).toarray(), dtype=jnp.float32)
    if reach > 2000:  # too many diagonals to add one by one
        count = np.bincount(user)
        x = windows(user, item, count=count, n_items=n_items, span=span, power=power, place=place, own=own)
        return jnp.asarray((x.T @ x).toarray(), dtype=jnp.float32)
    arrays = (jnp.asarray(user), jnp.asarray(item), jnp.asarray(weight))
    kernel: Array
    if place is None and own is None:
        kernel = _kernel(*arrays, span, reach, n_items)
        return kernel
    at = np.arange(len(user), dtype=np.float32) - _begin(user) if place is None else place
    by = np.ones(len(user), dtype=np.float32) if own is None else own
    kernel = _kernel_of_moments(*arrays, jnp.asarray(at), jnp.asarray(by), span, reach, n_items)
    return kernel


def _begin(user: Codes) -> Ints:
    """Returns where each interaction's user begins, of users in ascending order, [n]."""
    begin: Ints = np.searchsorted(user, user)
    return begin


def _apart(user: Codes, place: Floats, most: float) -> int:
    """Returns how many rows apart two interactions of a user may lie whose places are that near."""
    key = user.astype(np.float64) * (float(place.max(initial=0.0)) + 1.0) + place  # ascending
    until = np.searchsorted(key, key + min(most, float(2**30)), side="right")
    end = np.searchsorted(user, user, side="right")
    return int((np.minimum(until, end) - 1 - np.arange(len(user))).max(initial=0))


@functools.partial(jax.jit, static_argnames=("n_items",))
def _kernel(user: Array, item: Array, weight: Array, span: Array, reach: Array, n_items: int) -> Array:
    """Returns K for interactions sorted by user and time, [N, N]: one diagonal of |p - q| after another."""
    n = user.shape[0]
    position = jnp.arange(n)

    def add(distance: Array, total: Array) -> Array:
        other = jnp.minimum(position + distance, n - 1)
        same = (user[other] == user) & (position + distance < n)
        value = jnp.where(same, weight * jnp.exp(-distance / span), 0.0)
        added: Array = total.at[item, item[other]].add(value)
        return added

    above = lax.fori_loop(1, reach + 1, add, jnp.zeros((n_items, n_items)))
    kernel: Array = above + above.T + jnp.diag(jnp.zeros(n_items).at[item].add(weight))
    return kernel


@functools.partial(jax.jit, static_argnames=("n_items",))
def _kernel_of_moments(
    user: Array,
    item: Array,
    weight: Array,
    place: Array,
    own: Array,
    span: Array,
    reach: Array,
    n_items: int,
) -> Array:
    """Returns K as `_kernel` does, of interactions with places among their user's and weights."""
    n = user.shape[0]
    position = jnp.arange(n)

    def add(distance: Array, total: Array) -> Array:
        other = jnp.minimum(position + distance, n - 1)
        same = (user[other] == user) & (position + distance < n)
        near = jnp.exp((place - place[other]) / span)
        value = jnp.where(same, weight * own * own[other] * near, 0.0)
        added: Array = total.at[item, item[other]].add(value)
        return added

    above = lax.fori_loop(1, reach + 1, add, jnp.zeros((n_items, n_items)))
    kernel: Array = above + above.T + jnp.diag(jnp.zeros(n_items).at[item].add(weight * own * own))
    return kernel


@jax.jit
def _iterate(gram: Array, scale: Array, first: Array) -> tuple[Array, Array]:
    """Finds the leading eigenvalues [k] and vectors [N, k] of diag(scale) K diag(scale)."""
    gram = scale[:, None] * gram * scale
    basis = lax.fori_loop(0, PASSES, lambda _, q: jnp.linalg.qr(gram @ q)[0], jnp.linalg.qr(first)[0])
    values, turn = jnp.linalg.eigh(basis.T @ (gram @ basis))
    vectors: Array = basis @ turn
    return values[::-1], vectors[:, ::-1]


def windows(
    user: Codes,
    item: Codes,
    *,
    count: Ints,
    n_items: int,
    span: float,
    power: float,
    place: Floats | None = None,
    own: Floats | None = None,
) -> sp.csr_matrix:
    """Cuts windows of 3 spans, each a quarter of its length after the last: a sparse row each.

    The number of windows that two positions share falls as a triangle with their distance, which
    stands in for the exponential. A history no longer than a window is one row. A moment is never cut.
    """
    n = len(user)
    begin = np.concatenate([[0], np.cumsum(count)])[user]
    position = np.arange(n) - begin if place is None else place.astype(np.int64)
    stride = max(round(min(0.75 * span, 2**30)), 1)
    length = 4 * stride
    size = count[user]
    rows, columns, values = [], [], []
    cuts = position // stride  # the last window that starts at or before this position
    per_user = np.where(count > length, (np.maximum(count - 1, 0)) // stride + 4, 1)
    base = np.concatenate([[0], np.cumsum(per_user)])
    for back in range(4):
        short = size <= length
        use = ~short if back else np.ones(n, dtype=bool)
        row = base[user] + np.where(short, 0, cuts + 3 - back)
        rows.append(row[use])
        columns.append(item[use])
        value = size.astype(np.float64) ** -power * np.where(short, 1.0, 0.5)  # 4 windows of 1/4 each
        if own is not None:
            value *= own
        values.append(value[use])
    shape = (int(base[-1]), n_items)
    return sp.csr_matrix((np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))), shape)
