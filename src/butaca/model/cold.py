"""This module gives a new item, by what is known of it, the rows that interactions would have given it.

An item that nobody has had yet has no trained row, but it has genres, a year, words of a title. Over the
items with interactions, a ridge regression maps such features to all that the model keeps of an item,

    [ trained history row | closed-form history row | candidate vector | bias ]  =  intercept + x W

so that a new item gets, of each, what items like it have (Gantner et al. 2010 map features to factors in
this way). The map is made after training and touches no item that has interactions. Items count by the
logarithm of their interactions, since the rows of those with few are mostly noise. The ridge is the one
whose leave-one-out error is least, in units of scores: the closed form gives each item's prediction without
itself from the hat matrix's diagonal h, as y - (y - prediction) / (1 - h) (Allen's PRESS, 1974).

In the bias every item counts alike: a new one gets what is usual for items like it, neither that of an item
shown to all and had by none, nor a hit's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from butaca.data.bags import Bags, Column, take_column
from butaca.data.dataset import Entities
from butaca.data.vocabulary import Vocabulary
from butaca.model.encoded import Encoded
from butaca.model.features import Bag, Buckets, Category, Encoder, Feature, Number, Text, unknown_row
from butaca.types import Floats, Ints

Doubles = NDArray[np.float64]

#: Ridges tried, in parts of the variance of a feature's block.
RIDGES = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0)

#: Items that the map is fitted on, and columns of x, at most: it stays a matter of a second.
MAX_ITEMS, MAX_COLUMNS = 10_000, 1024

#: Values of a bag or a text that still are a set; beyond, each says too little.
MAX_VALUES = 1000


class ItemVectors(NamedTuple):
    """Holds all that a model keeps of n items.

    history float32 [n, d] and head [n, k] are rows of the query tower's tables (None where it has none),
    items [n, D] candidate vectors, bias [n] the term of each item alone (None without a prior).
    """

    history: Floats | None
    head: Floats | None
    items: Floats
    bias: Floats | None


@dataclass(frozen=True, eq=False)
class ColdItems:
    """Maps features to rows; call it with a table of items, numpy alone.

    Attributes:
        encoders: of the features; together they make x, one block of columns after another.
        weights: float32 [F, T], the map.
        intercept: float32 [T].
        history: columns of T that are the trained history row; 0 if the model has none.
        head: then those of the closed-form history row; 0 if it has none.
        items: then those of the candidate vector. A last one, if there, is the bias.
    """

    encoders: tuple[Encoder, ...]
    weights: Floats
    intercept: Floats
    history: int
    head: int
    items: int

    def __call__(self, entities: Entities) -> ItemVectors:
        """Returns the rows of a table of items [n]; values never seen, and columns it lacks, are unknown."""
        size = 4096
        parts = [
            encoded_rows(self.encoders, entities, rows=np.arange(a, min(a + size, len(entities))))
            @ self.weights
            for a in range(0, len(entities), size)
        ]
        rows = np.concatenate(parts) if parts else np.zeros((0, len(self.intercept)), np.float32)
        rows = (rows + self.intercept).astype(np.float32)
        a, b = self.history, self.history + self.head
        c = b + self.items
        return ItemVectors(
            np.ascontiguousarray(rows[:, :a]) if self.history else None,
            np.ascontiguousarray(rows[:, a:b]) if self.head else None,
            np.ascontiguousarray(rows[:, b:c]),
            np.ascontiguousarray(rows[:, c]) if c < rows.shape[1] else None,
        )


def fit_cold(
    features: Sequence[Feature], items: Entities, *, count: Ints, rows: ItemVectors, queries: Floats
) -> ColdItems | None:
    """Fits the map on the items that have interactions; returns None where fewer than two have.

    Args:
        features: columns of the items' table.
        items: all N items.
        count: interactions of each [N].
        rows: what the model keeps of each; those of items without interactions are not read.
        queries: query vectors of some users [S, D], which say what an error of a candidate's vector costs.
    """
    warm = np.flatnonzero(count)
    if not features or len(warm) < 2:
        return None
    warm = warm[np.linspace(0, len(warm) - 1, min(len(warm), MAX_ITEMS)).astype(np.int64)]
    table = taken(items, warm)
    encoders = tuple(feature.fit(table) for feature in features)
    x = encoded_rows(encoders, table, rows=np.arange(len(warm))).astype(np.float64)  # [n, F]
    weight = np.log1p(count[warm].astype(np.float64))
    weight /= weight.mean()
    root = np.sqrt(weight)[:, None]
    mean = weight @ x / len(warm)
    kept = np.sort(np.argsort(-np.abs(x).sum(axis=0), kind="stable")[:MAX_COLUMNS])
    scale = block_scales(x, encoders)[kept]
    parts = [p for p in (rows.history, rows.head, rows.items) if p is not None]
    y = np.concatenate([p[warm] for p in parts], axis=1).astype(np.float64)
    if rows.bias is not None:
        y = np.concatenate([y, rows.bias[warm, None]], axis=1)
    middle = weight @ y / len(warm)
    a, b = root * (x - mean)[:, kept] * scale, root * (y - middle)
    values, turn = np.linalg.eigh(a.T @ a)
    values = np.maximum(values, 0.0)
    u = a @ turn
    first = y.shape[1] - rows.items.shape[1] - (rows.bias is not None)
    scored = b[:, first:] @ in_scores(queries, rows.bias is not None).T
    ridge = least_left_out(u, values, y=scored, lever=weight / len(warm))
    w = np.zeros((x.shape[1], y.shape[1]))
    w[kept] = scale[:, None] * (turn @ ((u.T @ b) / (values + ridge)[:, None]))
    intercept = middle - mean @ w
    if rows.bias is not None:
        intercept[-1] = (y[:, -1] - x @ w[:, -1]).mean()
    fill_unknown(w, mean, encoders=encoders)
    return ColdItems(
        encoders,
        w.astype(np.float32),
        intercept.astype(np.float32),
        0 if rows.history is None else rows.history.shape[1],
        0 if rows.head is None else rows.head.shape[1],
        rows.items.shape[1],
    )


def least_left_out(u: Doubles, values: Doubles, *, y: Doubles, lever: Doubles) -> float:
    """Returns the ridge whose leave-one-out error is least.

    Args:
        u: features in the eigenbasis of their Gram matrix, u^T u = diag(values), [n, F].
        values: those eigenvalues [F].
        y: centred targets [n, t]; rows of u and y carry the roots of the weights.
        lever: what the intercept adds to each hat value [n].
    """
    across, squares = u.T @ y, np.square(u)
    errors = []
    for ridge in RIDGES:
        hat = squares @ (1.0 / (values + ridge)) + lever
        left = (y - u @ (across / (values + ridge)[:, None])) / np.maximum(1.0 - hat, 1e-6)[:, None]
        errors.append(float(np.square(left).sum()))
    return RIDGES[int(np.argmin(errors))]


def in_scores(queries: Floats, with_bias: bool, *, dim: int = 32) -> Doubles:
    """Returns M [t, D (+ 1)] with |M e|^2 about the mean square of the scores' errors that e makes.

    The queries (with a 1 for the bias) over the square root of their number would do it exactly; a random
    turn of them in `dim` dimensions does it on average (Johnson and Lindenstrauss 1984).
    """
    q: Doubles = queries.astype(np.float64)
    if with_bias:
        q = np.concatenate([q, np.ones((len(q), 1))], axis=1)
    if len(q) > dim:
        q = np.random.default_rng(0).choice([-1.0, 1.0], (dim, len(q))) @ q / np.sqrt(dim)
    out: Doubles = q / np.sqrt(max(len(queries), 1))
    return out


def encoded_rows(encoders: Sequence[Encoder], entities: Entities, *, rows: Ints) -> Floats:
    """Returns x of some rows of a table, float32 [n, F]: a block per encoder, weights at their codes.

    Of a row without values (an empty bag) the block says that they are unknown.
    """
    table = taken(entities, rows)
    x = np.zeros((len(rows), sum(e.n_rows for e in encoders)), np.float32)
    begin = 0
    for encoder in encoders:
        name = encoder.feature.column
        if name in table:
            codes, weights = encoder.encode(table[name])
        else:
            one = unknown_row(encoder)
            codes, weights = Encoded(one.codes.repeat(len(rows), axis=0), one.weights)
        amount = np.broadcast_to(np.float32(1.0) if weights is None else weights, codes.shape)
        at = np.repeat(np.arange(len(rows)), codes.shape[1])
        np.add.at(x, (at, begin + codes.ravel()), amount.ravel())
        end = begin + encoder.n_rows
        if not isinstance(encoder.feature, Number):
            x[~x[:, begin:end].any(axis=1), end - 1] = 1.0
        begin = end
    return x


def block_scales(x: Doubles, encoders: Sequence[Encoder]) -> Doubles:
    """Returns what each column [F] is scaled by, so that its encoder's block has a total variance of 1."""
    variance = x.var(axis=0)
    blocks = np.split(variance, np.cumsum([e.n_rows for e in encoders])[:-1])
    totals = np.concatenate([np.full(len(b), b.sum()) for b in blocks])
    scales: Doubles = 1.0 / np.sqrt(np.where(totals > 1e-12, totals, 1.0))
    return scales


def fill_unknown(w: Doubles, mean: Doubles, *, encoders: Sequence[Encoder]) -> None:
    """Lets an unknown value mean the mean of the known ones, where no item taught what it means."""
    begin = 0
    for encoder in encoders:
        end = begin + encoder.n_rows
        known = mean[begin : end - 1]
        if not isinstance(encoder.feature, Number) and mean[end - 1] == 0 and known.sum() > 0:
            w[end - 1] = known @ w[begin : end - 1] / known.sum()
        begin = end


def taken(entities: Entities, rows: Ints) -> Entities:
    """Returns some rows of a table, in that order."""
    columns = {name: take_column(column, rows) for name, column in entities.columns.items()}
    return Entities(entities.key, Vocabulary(entities.ids.values[rows]), columns, entities.labels)


def features_of(items: Entities) -> tuple[Feature, ...]:
    """Returns features of a table's columns, by their kinds, without ids, addresses and constants.

    Bags of values, such as genres, become a Bag; numbers Buckets; codes with names, truth values and text
    with few distinct values a Category; text in words, such as titles and descriptions, a Text, its
    words those of three items or more and one in a thousand.
    """
    names = [items.key, *items.columns]
    found = (_feature_of(name, items[name], name in items.labels, name == items.key) for name in names)
    return tuple(feature for feature in found if feature is not None)


def _feature_of(name: str, column: Column, coded: bool, key: bool) -> Feature | None:
    n = len(column)
    if isinstance(column, Bags):
        few = len(Vocabulary.of(column.values)) <= MAX_VALUES
        return Bag(name) if few and len(column.values) else None
    if column.dtype.kind in "iufb":
        known = column[np.isfinite(column)]
        distinct = len(np.unique(known))
        counted = column.dtype.kind in "iu" and "year" not in name.lower()
        if key or distinct < 2 or (counted and distinct == n):  # whole numbers, each once, are ids
            return None
        return Category(name) if coded or column.dtype.kind == "b" else Buckets(name)
    texts = [str(value) for value in column.tolist()]
    distinct = len(set(texts))
    if distinct < 2:
        return None
    if distinct <= min(n // 4, MAX_VALUES) and not key:
        return Category(name)
    worded = sum(len(text.split()) > 1 for text in texts)
    return Text(name, min_count=max(3, n // 1000)) if 2 * worded >= n else None
