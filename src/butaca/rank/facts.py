"""This module holds what features are computed from: facts of a data set of the past, as numpy arrays.

Everything here is learned from interactions that count as known (rank/learn.py) and nothing else, so a
training example whose facts come from before it sees nothing of itself. Serving reads the arrays.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from butaca.types import Codes, Floats

Doubles = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Neighbours:
    """A Neighbours holds for each item those that speak for it: codes int32 [N, K], weights float32 [N, K].

    Where an item has fewer, the rest weighs 0.
    """

    items: Codes
    weights: Floats


@dataclass(frozen=True, eq=False)
class TrainFacts:
    """A TrainFacts holds what training data say of the catalogue.

    Attributes:
        users_of: users that had each item, float32 [N].
        people: users with interactions.
        vectors: of the items at unit length, float32 [N, d]; d = 0 without any.
        neighbours: by name ("together", "linear", "near").
        counts: interactions of each item before each of `times`, float32 [T + 1, N]; None without times.
        times: edges of equal steps, float64 [T + 1]; None without times.
        first, typical: first and median time of each item, float64 [N]; nan where nobody had it.
        rating, spread: mean rating and its deviation, drawn to those of all, float32 [N]; None without
            ratings.
        mean_rating: of all interactions; nan without ratings.
        labels: by column of the items' table, what each item has: float32 [N, F], rows sum to 1 or 0.
        label_share: by column, the share of interactions with each label, float32 [F].
        numbers: by column of the items' table, standardised numbers, float32 [N]; nan where missing.
        audience: by column of the users' table, log of (share of an item's users in a group / share of
            all interactions), float32 [G, N].
        group_of: by column, group of each user, int32 [U]; -1 unknown.
    """

    users_of: Floats
    people: int
    vectors: Floats
    neighbours: Mapping[str, Neighbours] = field(default_factory=dict)
    counts: Floats | None = None
    times: Doubles | None = None
    first: Doubles | None = None
    typical: Doubles | None = None
    rating: Floats | None = None
    spread: Floats | None = None
    mean_rating: float = math.nan
    labels: Mapping[str, Floats] = field(default_factory=dict)
    label_share: Mapping[str, Floats] = field(default_factory=dict)
    numbers: Mapping[str, Floats] = field(default_factory=dict)
    audience: Mapping[str, Floats] = field(default_factory=dict)
    group_of: Mapping[str, Codes] = field(default_factory=dict)

    @property
    def n_items(self) -> int:
        """Returns the size of the catalogue."""
        return len(self.users_of)

    @functools.cached_property
    def totals(self) -> Doubles:
        """Returns the interactions of all items before each of `times`, [T + 1]."""
        counts = np.zeros((1, 0)) if self.counts is None else self.counts
        return np.asarray(counts.sum(axis=1, dtype=np.float64))

    def as_arrays(self) -> dict[str, np.ndarray]:
        """Returns every array by name; see `from_parts`."""
        arrays: dict[str, np.ndarray] = {}
        for name in PLAIN:
            value = getattr(self, name)
            if value is not None:
                arrays[name] = value
        for name, found in self.neighbours.items():
            arrays[f"neighbours/{name}/items"] = found.items
            arrays[f"neighbours/{name}/weights"] = found.weights
        for kind in BY_COLUMN:
            arrays |= {f"{kind}/{column}": a for column, a in getattr(self, kind).items()}
        return {name: np.ascontiguousarray(a) for name, a in arrays.items()}

    def as_numbers(self) -> dict[str, Any]:
        """Returns the facts that are no arrays, as JSON values."""
        mean = self.mean_rating
        return {"people": self.people, "mean_rating": None if math.isnan(mean) else mean}

    @classmethod
    def from_parts(cls, arrays: Mapping[str, np.ndarray], numbers: Mapping[str, Any]) -> TrainFacts:
        """Makes facts of what `as_arrays` and `as_numbers` gave."""
        fields: dict[str, Any] = {name: arrays[name] for name in PLAIN if name in arrays}
        for kind in BY_COLUMN:
            start = f"{kind}/"
            fields[kind] = {n.removeprefix(start): a for n, a in arrays.items() if n.startswith(start)}
        named = sorted({n.split("/")[1] for n in arrays if n.startswith("neighbours/")})
        fields["neighbours"] = {
            n: Neighbours(arrays[f"neighbours/{n}/items"], arrays[f"neighbours/{n}/weights"]) for n in named
        }
        mean = numbers["mean_rating"]
        return cls(
            **fields, people=int(numbers["people"]), mean_rating=math.nan if mean is None else float(mean)
        )


#: Fields of TrainFacts that are arrays, and those that hold one for each column.
PLAIN = ("users_of", "vectors", "counts", "times", "first", "typical", "rating", "spread")
BY_COLUMN = ("labels", "label_share", "numbers", "audience", "group_of")
