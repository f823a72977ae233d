"""This module declares features: what a column means, and how its values become weighted codes.

Every feature, whatever its kind, ends as the same thing: row i of the table is a short list of
(code, weight) pairs into an embedding table of the feature's own, and its vector is the weighted sum
of those rows. An id is one code of weight 1, a bag of genres is its genres at weight 1/n, a number is
one code whose weight is the standardised value. So a tower needs one piece of arithmetic, in JAX for
training and in numpy for serving.

Every vocabulary keeps one further code for values it has not seen (the notebook's cell 81).
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from butaca.checks import check_fields, shown
from butaca.data.bags import Bags, Column
from butaca.data.dataset import Entities
from butaca.data.vocabulary import Vocabulary, as_values
from butaca.errors import FeatureError
from butaca.model.encoded import Encoded, pad_bags
from butaca.types import Values

#: How a history with an order is read (model/order/).
Order: TypeAlias = Literal["timescales", "attention"]


@dataclass(frozen=True)
class Encoder:
    """Holds what a feature learned from a table: enough to encode that table, or another like it.

    Attributes:
        feature: the declaration.
        vocabulary: the values that have a row of their own; empty for a Number.
        width: codes per row, w.
        mean, scale: of a Number, over its known values.
    """

    feature: Feature
    vocabulary: Vocabulary
    width: int = 1
    mean: float = 0.0
    scale: float = 1.0

    @property
    def n_rows(self) -> int:
        """Counts rows of the embedding table: the vocabulary and one for the unknown; 2 for a Number."""
        return 2 if isinstance(self.feature, Number) else len(self.vocabulary) + 1

    def encode(self, column: Column) -> Encoded:
        """Returns the codes and weights of a column's n rows."""
        return self.feature.encode(column, self)


@dataclass(frozen=True)
class Feature:
    """A Feature is a column of the users' or the items' table that a tower reads.

    Attributes:
        column: its name in that table.
    """

    column: str

    def __post_init__(self) -> None:
        """Checks that every field is of the type it is declared as."""
        check_fields(self)

    def fit(self, entities: Entities) -> Encoder:
        """Learns the vocabulary (or mean and scale) from the table's column."""
        raise NotImplementedError

    def encode(self, column: Column, encoder: Encoder) -> Encoded:
        """Returns the codes and weights of a column, by what `fit` learned."""
        raise NotImplementedError

    def _plain(self, column: Column) -> np.ndarray:
        if isinstance(column, Bags):
            raise FeatureError(
                f"{type(self).__name__} takes a column with one value a row",
                f"{self.column!r}, whose rows hold any number of values",
                f"Declare Bag({self.column!r}) instead",
            )
        return column


@dataclass(frozen=True)
class Category(Feature):
    """A Category is one value of a set, such as an occupation: an embedding for each, one for the unknown."""

    def fit(self, entities: Entities) -> Encoder:  # noqa: D102
        if self.column == entities.key:
            return Encoder(self, entities.ids)
        return Encoder(self, Vocabulary.of(as_values(self._plain(entities[self.column]))))

    def encode(self, column: Column, encoder: Encoder) -> Encoded:  # noqa: D102
        return Encoded(encoder.vocabulary.encode(self._plain(column))[:, None], None)


@dataclass(frozen=True)
class Id(Category):
    """An Id is a Category with (about) one row per value.

    The candidate tower's Id says what a candidate is: with Id("movie_title"), items that share a
    title are one candidate, as in the notebook.
    """


@dataclass(frozen=True)
class Number(Feature):
    """A Number is a quantity, such as an age: a direction scaled by the standardised value.

    A missing value (nan) contributes a vector of its own instead.
    """

    def fit(self, entities: Entities) -> Encoder:  # noqa: D102
        values = numbers(self, self._plain(entities[self.column]))
        known = values[np.isfinite(values)]
        mean, scale = (float(known.mean()), float(known.std())) if len(known) else (0.0, 1.0)
        return Encoder(self, Vocabulary.of([]), width=2, mean=mean, scale=scale or 1.0)

    def encode(self, column: Column, encoder: Encoder) -> Encoded:  # noqa: D102
        values = numbers(self, self._plain(column))
        known = np.isfinite(values)
        standard = np.where(known, (values - encoder.mean) / encoder.scale, 0.0)
        weights = np.stack([standard, ~known], axis=1).astype(np.float32)
        codes = np.broadcast_to(np.array([0, 1], dtype=np.int32), weights.shape)
        return Encoded(np.ascontiguousarray(codes), weights)


@dataclass(frozen=True)
class Buckets(Feature):
    """Buckets cut a quantity, such as a year: an embedding for each bucket, one for a missing value (nan).

    Beyond the outermost edges the outermost buckets go on, so that next year's film stands with the latest.

    Attributes:
        n: buckets at most, of about as many rows each.
        edges: where they meet; () takes them from the table.
    """

    n: int = 10
    edges: tuple[float, ...] = ()

    def fit(self, entities: Entities) -> Encoder:  # noqa: D102
        edges = self.edges
        if not edges:
            values = numbers(self, self._plain(entities[self.column]))
            known = values[np.isfinite(values)]
            if len(known):
                cuts = np.quantile(known, np.arange(1, self.n) / self.n, method="lower")
                edges = tuple(float(x) for x in np.unique(cuts) if x > known.min())
        return Encoder(replace(self, edges=edges), Vocabulary(np.arange(len(edges) + 1)))

    def encode(self, column: Column, encoder: Encoder) -> Encoded:  # noqa: D102
        values = numbers(self, self._plain(column))
        codes = np.searchsorted(np.array(self.edges), np.nan_to_num(values, nan=0.0), side="right")
        codes = np.where(np.isnan(values), encoder.vocabulary.unknown, codes)
        return Encoded(codes[:, None].astype(np.int32), None)


@dataclass(frozen=True)
class Bag(Feature):
    """A Bag is any number of values a row, such as genres: the mean of their embeddings.

    Attributes:
        max_values: values kept of a row, the first ones.
    """

    max_values: int = 32

    def fit(self, entities: Entities) -> Encoder:  # noqa: D102
        bags = self._bags(entities[self.column])
        lengths = np.diff(bags.offsets)
        width = int(min(max(lengths.max(initial=1), 1), self.max_values))
        return Encoder(self, Vocabulary.of(bags.values), width=width)

    def encode(self, column: Column, encoder: Encoder) -> Encoded:  # noqa: D102
        bags = self._bags(column)
        codes = encoder.vocabulary.encode(bags.values)
        return pad_bags(codes, bags.offsets, width=encoder.width, fill=encoder.vocabulary.unknown)

    def _bags(self, column: Column) -> Bags:
        if not isinstance(column, Bags):
            raise FeatureError(
                "Bag takes a column whose rows hold any number of values",
                f"{self.column!r}, which holds one value a row",
                f"Declare Category({self.column!r}) or Text({self.column!r}) instead",
            )
        return column


@dataclass(frozen=True)
class History(Feature):
    """A History is a user's items: the sum of their embeddings over the square root of their weight.

    Asymmetric matrix factorisation (Paterek 2007; the |N(u)|^-1/2 is Koren's, SVD++ 2008). Only a query
    tower reads it. It has no parameters per user, so whoever has a history has a vector: a new user
    with three films, or a known one after one more, is answered without training.

    Attributes:
        column: the items' id column; "" is the candidates' own.
        dropout: share of a history that is left out of the query, drawn anew each step. What was left
            out still is a positive, so the tower learns to complete histories, not to repeat them.
        by_rating: learn a weight for each value of the rating (for each tenth where there are more
            than ten). Worth nothing on MovieLens 100K's validation slices.
        by_recency: learn the power by which an item's weight falls with its age in days, counted from
            the user's latest. Worth nothing there either: half of its users rate for under an hour.
        order: how what came last counts for more. None: a history is a bag; "timescales": sums with learned
            decays over places and over age, of which every item's share stays exact; "attention": causal
            self-attention with relative places and times. Trained at every place of every history.
        window: places of a history that are read, the latest, with an order.
        shared: with an order, items have the candidates' vectors in a history too.
        blocks, heads: of attention.
    """

    column: str = ""
    dropout: float = 0.5
    by_rating: bool = False
    by_recency: bool = False
    order: Order | None = None
    window: int = 200
    shared: bool = True
    blocks: int = 2
    heads: int = 1

    def __post_init__(self) -> None:
        """Checks the order, the window and the share that is left out."""
        if self.order is not None and not (isinstance(self.order, str) and self.order in get_args(Order)):
            raise FeatureError(
                "A history's order is one of " + ", ".join(get_args(Order)) + ", or None",
                shown(self.order),
                "Correct it",
            )
        super().__post_init__()
        if not 0 <= self.dropout < 1:
            raise FeatureError(
                "A history's dropout is 0 or more and below 1", f"dropout={self.dropout}", "Try 0.5"
            )
        if self.window < 2:
            raise FeatureError("A window holds at least two places", f"window={self.window}", "Try 200")
        if self.order is not None and (self.by_rating or self.by_recency):
            raise FeatureError(
                "by_rating and by_recency weigh a history without an order",
                f"order={self.order!r}",
                "Leave them out: an order reads ages itself",
            )


def numbers(feature: Feature, column: Values) -> NDArray[np.float64]:
    """Returns a column of numbers as float64 [n].

    Raises:
        FeatureError: it holds text.
    """
    if column.dtype.kind not in "iufb":
        raise FeatureError(
            f"{type(feature).__name__} takes a column of numbers",
            f"{feature.column!r}, which holds text such as {column[0]!r}" if len(column) else "no rows",
            f"Declare Category({feature.column!r}) or Text({feature.column!r}) instead",
        )
    return column.astype(np.float64)


_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class Text(Feature):
    """A Text is free text, such as a title: the mean of its words' embeddings, case ignored.

    Attributes:
        min_count: rows that must hold a word for it to have an embedding of its own.
        max_words: words kept of a row, the first ones.
    """

    min_count: int = 2
    max_words: int = 16

    def fit(self, entities: Entities) -> Encoder:  # noqa: D102
        rows = self._words(entities[self.column])
        counts = Counter(word for row in rows for word in set(row))
        vocabulary = Vocabulary.of([w for w, n in counts.items() if n >= self.min_count])
        kept = max((len(row) for row in rows), default=1)
        return Encoder(self, vocabulary, width=min(max(kept, 1), self.max_words))

    def encode(self, column: Column, encoder: Encoder) -> Encoded:  # noqa: D102
        bags = Bags.of(self._words(column), dtype=object)
        codes = encoder.vocabulary.encode(bags.values)
        return pad_bags(codes, bags.offsets, width=encoder.width, fill=encoder.vocabulary.unknown)

    def _words(self, column: Column) -> list[list[str]]:
        return [_WORD.findall(str(text).lower())[: self.max_words] for text in self._plain(column)]


def unknown_row(encoder: Encoder) -> Encoded:
    """Returns the single row that stands for an entity of which nothing is known."""
    width = encoder.width
    if isinstance(encoder.feature, Number):
        return Encoded(np.array([[0, 1]], dtype=np.int32), np.array([[0, 1]], dtype=np.float32))
    codes = np.full((1, width), encoder.vocabulary.unknown, dtype=np.int32)
    if isinstance(encoder.feature, Category | Buckets):
        return Encoded(codes, None)
    weights = np.zeros((1, width), dtype=np.float32)
    weights[0, 0] = 1.0
    return Encoded(codes, weights)


def encode_with_unknown(encoder: Encoder, entities: Entities) -> Encoded:
    """Encodes a feature of every entity, and a last row for the unknown one: n + 1 rows."""
    if encoder.feature.column == entities.key:
        known = Encoded(np.arange(len(entities), dtype=np.int32)[:, None], None)
    else:
        known = encoder.encode(entities[encoder.feature.column])
    last = unknown_row(encoder)
    weights = None
    if known.weights is not None and last.weights is not None:
        weights = np.concatenate([known.weights, last.weights])
    return Encoded(np.concatenate([known.codes, last.codes]), weights)
