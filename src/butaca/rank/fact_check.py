"""This module is the leak guard's part for facts: each is learned again from what is known, and compared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from butaca.data.dataset import Dataset
from butaca.data.histories import Histories
from butaca.rank.facts import BY_COLUMN, Doubles, Neighbours, TrainFacts
from butaca.rank.leaks import CURE, LeakError
from butaca.rank.learn import FactSettings, learn_facts
from butaca.rank.neighbours import REACH
from butaca.types import Ints

if TYPE_CHECKING:
    from scipy import sparse

#: Items whose neighbours are learned again: the most found of what is to be found, and as many others.
POPULAR, OTHERS = 4, 4

#: By which stored weights may be off: float32 sums in another order, and a solution in steps.
OFF = 1e-3

#: Steps at most of the solution for EASE's weights, and the share of it that may be left.
STEPS, LEFT = 200, 1e-5


def check_facts(
    facts: TrainFacts, known: Dataset, *, label: Dataset, settings: FactSettings | None = None
) -> None:
    """Checks that facts are those of what is known, and of nothing that is to be found.

    Every field is learned again from `known` and compared; of the neighbours, those of a few items
    (`sampled`), since learning them all takes as long as everything else. Fields that the facts do without
    tell nothing. `vectors` come from the first stage: what it has seen is `check_first_stage`'s.

    Args:
        facts: as examples see them.
        known: what they may be learned from.
        label: what is to be found; says which items' neighbours are looked at.
        settings: that they were learned with; None: the defaults.

    Raises:
        LeakError: names the first field that differs.
    """
    s = settings or FactSettings()
    right = learn_facts(known, settings=s, neighbours=False)
    for name, mine, other in _fields(facts, right):
        if mine is not None and not _same(mine, other):
            raise _differs(name, _example(mine, other, known))
    if not facts.neighbours:
        return
    items = sampled(known, label)
    weights = _weights(tuple(facts.neighbours), known, items, s)
    for name, found in facts.neighbours.items():
        off = _off(found, items, weights[name], s.neighbours) if name in weights else items
        if len(off):
            raise _differs(f"neighbours[{name!r}]", f"those of {known.items.ids.values[int(off[0])]!r}")


def sampled(known: Dataset, label: Dataset) -> Ints:
    """Returns the items whose neighbours are learned again: the most found in `label`, and others by code."""
    count = np.bincount(label.item, minlength=len(known.items))
    most = np.argsort(-count, kind="stable")[:POPULAR]
    rest = np.setdiff1d(np.concatenate([known.item, label.item]), most)  # that anybody had
    evenly = np.unique(np.linspace(0, len(rest) - 1, OTHERS).astype(np.int64)) if len(rest) else rest
    return np.concatenate([most, rest[evenly]])


# Fields that are learned again as a whole.


def _fields(facts: TrainFacts, right: TrainFacts) -> Iterator[tuple[str, Any, Any]]:
    """Yields by name what is compared: theirs, and what is right."""
    for name in (
        "people",
        "users_of",
        "times",
        "counts",
        "first",
        "typical",
        "mean_rating",
        "rating",
        "spread",
    ):
        yield name, getattr(facts, name), getattr(right, name)
    for kind in BY_COLUMN:
        mine: Mapping[str, Any] = getattr(facts, kind)
        other: Mapping[str, Any] = getattr(right, kind)
        for column in sorted(set(mine) | set(other)):
            yield f"{kind}[{column!r}]", mine.get(column), other.get(column)


def _same(mine: Any, other: Any) -> bool:
    """Returns whether two values are equal; floats in float32 may differ by the order of a sum."""
    if other is None:
        return False
    a, b = np.asarray(mine), np.asarray(other)
    if a.shape != b.shape:
        return False
    if a.dtype != np.float32:
        return np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
    return np.allclose(a, b, rtol=1e-5, atol=1e-6, equal_nan=True)


def _example(mine: Any, other: Any, known: Dataset) -> str:
    """Returns where a field differs first, in words; of an array by item its item."""
    a, b = np.asarray(mine), np.asarray(other)
    if a.ndim == 0:
        return f"{a:g} where {b:g} is known" if b.dtype != object else f"{a:g} where nothing is known"
    if other is None or a.shape != b.shape:
        return f"shape {a.shape} where {b.shape if other is not None else 'nothing'} is known"
    at = np.argwhere(~np.isclose(a, b, rtol=1e-6, equal_nan=True) if a.dtype.kind == "f" else a != b)
    first = tuple(int(i) for i in (at if len(at) else np.zeros((1, a.ndim), np.int64))[0])
    whose = f" of {known.items.ids.values[first[-1]]!r}" if a.shape[-1] == len(known.items) else ""
    return f"{a[first]:g}{whose} where {b[first]:g} is known, and {max(len(at) - 1, 0)} more"


def _differs(name: str, example: str) -> LeakError:
    return LeakError(
        "A training example's facts are those of what was known before it, and nothing else",
        f"{name} learned elsewhere: {example}",
        CURE,
    )


# Neighbours of some items, by the definitions in rank/neighbours.py.


def _weights(
    names: tuple[str, ...], known: Dataset, items: Ints, s: FactSettings
) -> dict[str, NDArray[np.float64]]:
    """Returns uncut weights of all items for each of `items`, [S, N], by model that `known` allows."""
    from scipy import sparse

    seen, n = Histories.of(known), len(known.items)
    matrix = sparse.csr_array((np.ones(len(seen.items)), seen.items, seen.start), shape=(len(seen), n))
    out = {}
    if "together" in names:
        out["together"] = _together(matrix, items)
    if "linear" in names and n <= s.linear_items:
        out["linear"] = _linear(matrix, items)
    if "near" in names and seen.time is not None:
        out["near"] = _near(seen, items, n, s.span)
    return out


def _together(matrix: sparse.csr_array, items: Ints) -> Doubles:
    both: Doubles = (matrix[:, items].T @ matrix).toarray()  # [S, N]
    return _cosine(both, np.asarray(matrix.sum(axis=0)), items, 0.0)


def _near(seen: Histories, items: Ints, n: int, span: float) -> Doubles:
    assert seen.time is not None
    user = np.repeat(np.arange(len(seen)), seen.lengths)
    order = np.lexsort((seen.items, seen.time, user))
    u, i = user[order], seen.items[order]
    row = np.full(n, -1)
    row[items] = np.arange(len(items))
    at = np.flatnonzero(row[i] >= 0)
    total = np.zeros(len(items) * n)
    for distance in range(1, max(int(REACH * span), 1) + 1):
        for other in (at - distance, at + distance):
            inside = (other >= 0) & (other < len(u))
            a, b = at[inside], other[inside]
            a, b = a[u[a] == u[b]], b[u[a] == u[b]]
            total += np.exp(-distance / span) * np.bincount(row[i[a]] * n + i[b], minlength=len(total))
    return _cosine(total.reshape(len(items), n), np.bincount(i, minlength=n), items, 2.0)


def _cosine(both: Doubles, count: NDArray[Any], items: Ints, shrinkage: float) -> Doubles:
    length = np.sqrt(count)
    both[np.arange(len(items)), items] = 0
    cosine: Doubles = both / np.maximum(length[items, None] * length + shrinkage, 1e-12)
    return cosine


def _linear(matrix: sparse.csr_array, items: Ints) -> Doubles:
    """Returns EASE's weights into some items: columns of the inverse of X'X + l2 I by conjugate gradients."""
    from butaca.baselines.ease import default_l2

    l2, back = default_l2(matrix), matrix.T.tocsr()
    scale = 1 / np.sqrt(np.asarray(matrix.sum(axis=0)) + l2)[:, None]  # Jacobi's
    goal = np.zeros((matrix.shape[1], len(items)))
    goal[items, np.arange(len(items))] = scale[items, 0]
    x, rest = np.zeros_like(goal), goal.copy()
    toward, size = rest.copy(), np.square(rest).sum(axis=0)
    least = size * LEFT**2
    for _ in range(STEPS):
        if (size <= least).all():
            break
        scaled = scale * toward
        moved = scale * (back @ (matrix @ scaled) + l2 * scaled)
        step = size / np.maximum((toward * moved).sum(axis=0), 1e-300)
        x += step * toward
        rest -= step * moved
        before, size = size, np.square(rest).sum(axis=0)
        toward = rest + size / np.maximum(before, 1e-300) * toward
    inverse: Doubles = (scale * x).T  # [S, N]
    weights = -inverse / inverse[np.arange(len(items)), items][:, None]
    weights[np.arange(len(items)), items] = 0
    return weights


def _off(found: Neighbours, items: Ints, weights: Doubles, kept: int) -> Ints:
    """Returns the items whose stored weights are not the `kept` largest of `weights` [S, N], by size."""
    kept = min(kept, weights.shape[1])
    if found.items.shape != (len(found.items), kept) or len(found.items) != weights.shape[1]:
        return items
    mine, stored = found.items[items], found.weights[items]  # [S, K]
    right = np.take_along_axis(weights, mine.astype(np.int64), axis=1)
    near = OFF * np.maximum(np.abs(weights).max(axis=1, keepdims=True), 1e-12)
    left = np.abs(weights)
    np.put_along_axis(left, mine.astype(np.int64), 0.0, axis=1)
    wrong = np.abs(right - stored) > near
    lacking = left.max(axis=1) > np.abs(stored).min(axis=1) + near[:, 0]
    return np.asarray(items[wrong.any(axis=1) | lacking])
