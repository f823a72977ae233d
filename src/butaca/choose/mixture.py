"""This module weighs the parts of a score, once they are trained: towers, closed form, popularity.

    score = trust(n) * personal * (trained + weight * closed form + pairs)  +  the item's term

of a user with n items. None of these weights takes training: each is tried on the slice, one after another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np

from butaca.choose.closed_forms import WORTH, FormScores
from butaca.choose.slices import ValidationSlice
from butaca.train.vectors import brought, spread
from butaca.two_tower import TwoTower
from butaca.types import Floats

WEIGHTS: Sequence[float] = (0.3, 0.0, 0.15, 0.6, 1.2, 2.5, 5.0)
PAIRS: Sequence[float] = (0.0, 0.025, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2)
TRUSTED: Sequence[int] = (0, 3, 10)
PERSONAL: Sequence[float] = (1.0, 0.7, 1.4)

#: A weight and the values that are tried of it.
Axis: TypeAlias = tuple[str, Sequence[float]]


#: What single pairs of items are: what the closed form leaves out, what followed, neighbours.
PairsOf: TypeAlias = Literal["closed form", "followers", "neighbours"]


class PairKind(NamedTuple):
    """A PairKind says which single pairs of items count.

    Attributes:
        of: what they are.
        half_life: of what followed; 0 else.
    """

    of: PairsOf = "closed form"
    half_life: float = 0.0


@dataclass(frozen=True)
class Mixture:
    """A Mixture says how much each part of a score counts.

    Attributes:
        weight: spread of the closed form's scores, in parts of the trained tower's.
        trusted_from: items from which on a history is trusted in full (`TwoTowerSettings`).
        personal: what the parts that hang on the history are multiplied by.
        pairs: spread of what single pairs of items add, in parts of the trained tower's.
        pairs_of: what these pairs are.
        half_life: of these pairs, where they are what followed upon what; 0 else.
    """

    weight: float = 0.3
    trusted_from: int = 0
    personal: float = 1.0
    pairs: float = 0.0
    pairs_of: PairsOf = "closed form"
    half_life: float = 0.0


@dataclass(frozen=True, eq=False)
class Scores:
    """A Scores holds the parts for the users of a slice.

    Attributes:
        trained: products of the trained vectors [R, N].
        closed: the closed form's, on the trained one's spread [R, N].
        term: of each item [N].
        lengths: items that each user had [R].
        trust_power: as `TwoTowerSettings` has it.
        pairs: what single pairs of items add, on the trained one's spread [R, N], by their kind.
    """

    trained: Floats
    closed: Floats
    term: Floats
    lengths: Floats
    trust_power: float
    pairs: Mapping[PairKind, Floats] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        part: ValidationSlice,
        model: TwoTower,
        *,
        closed: FormScores,
        counted: Mapping[PairKind, Floats] | None = None,
    ) -> Scores:
        """Takes the parts of a trained model, and brings the others to the spread of its scores.

        Args:
            part: the slice.
            model: trained on it.
            closed: what the closed form gives its users.
            counted: what pairs that nothing trains add, by their kind (`counted_scores`).
        """
        trained, term = model.products().score(part.users), model.item_bias
        n_items = trained.shape[1]
        of_items = np.zeros(n_items, dtype=np.float32) if term is None else term
        its = spread(trained + of_items)

        def alike(scores: Floats) -> Floats:
            return scores * np.float32(brought(scores, to=its))

        of_pairs = {} if closed.pairs is None else {PairKind(): closed.pairs}
        of_pairs |= counted or {}
        return cls(
            trained,
            alike(closed.tower),
            of_items,
            part.lengths.astype(np.float32),
            model.settings.trust_power,
            {kind: alike(pairs) for kind, pairs in of_pairs.items()},
        )

    def mixed(self, mixture: Mixture) -> Floats:
        """Returns the scores of a mixture [R, N]."""
        had = self.lengths / max(mixture.trusted_from, 1)
        trust = np.minimum(had, 1.0) ** self.trust_power if mixture.trusted_from else np.ones_like(had)
        out: Floats = self.trained + np.float32(mixture.weight) * self.closed
        if mixture.pairs:
            out += np.float32(mixture.pairs) * self.pairs[PairKind(mixture.pairs_of, mixture.half_life)]
        out *= (mixture.personal * trust).astype(np.float32)[:, None]
        out += self.term
        return out


def best_mixture(
    part: ValidationSlice, scores: Scores, *, only_weight: bool = False
) -> tuple[Mixture, float]:
    """Returns the mixture that is best on the slice, and its value; of equals what comes first above.

    Pairs of items count where that is better by a half part in a hundred.

    Args:
        part: the slice.
        scores: of its users.
        only_weight: leave pairs, trust and personal as they are, where one of many is judged.
    """
    best = Mixture()
    start = best, part.value(part.rows(scores.mixed(best)))
    weighed = _along(part, scores, start, [("weight", WEIGHTS)])
    if only_weight:
        return weighed
    others: list[Axis] = [("trusted_from", TRUSTED), ("personal", PERSONAL)]
    plain = _along(part, scores, weighed, others)
    found = plain
    for kind in scores.pairs:
        start = replace(weighed[0], pairs_of=kind.of, half_life=kind.half_life), weighed[1]
        # weight again: what pairs say a closed form need not
        paired = _along(part, scores, start, [("pairs", PAIRS), ("weight", WEIGHTS), *others])
        if paired[1] > max(found[1], plain[1] * WORTH):
            found = paired
    return found


def _along(
    part: ValidationSlice, scores: Scores, start: tuple[Mixture, float], axes: Sequence[Axis]
) -> tuple[Mixture, float]:
    """Returns the mixture that is best where one weight after another is moved, and its value."""
    best, value = start
    for name, values in axes:
        kept = best
        for one in values:
            if one == getattr(kept, name):
                continue
            changed: dict[str, Any] = {name: one}
            tried = replace(kept, **changed)
            found = part.value(part.rows(scores.mixed(tried)))
            if found > value:
                best, value = tried, found
    return best, value
