"""This module declares features of a candidate that are read from the tables of users and items."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from butaca.rank.facts import Doubles, TrainFacts
from butaca.rank.features import RankFeature
from butaca.rank.scene import Scene
from butaca.types import Floats


@dataclass(frozen=True)
class Affinity(RankFeature):
    """Gives how much more than others the person has, and likes, what shares the candidate's labels.

    Attributes:
        column: of the items' table: genres, a decade, a language.
        prior: items' worth of what everyone has that a person's taste begins with.
    """

    column: str
    prior: float = 5.0

    def names(self, facts: TrainFacts) -> tuple[str, ...]:  # noqa: D102
        if self.column not in facts.labels:
            return ()
        return (f"{self.column}_had",) + ((f"{self.column}_liked",) if facts.rating is not None else ())

    def columns(self, scene: Scene) -> list[Doubles]:  # noqa: D102
        labels, share = scene.facts.labels[self.column], scene.facts.label_share[self.column]
        own = self._sums(scene, labels, None)
        taste = (own + self.prior * share) / (scene.length[:, None] + self.prior) / (share + 1e-3)
        out = [self._along(scene, labels, np.log(taste + 1e-3))]
        if scene.facts.rating is not None:
            liked = self._sums(scene, labels, scene.liked) / (own + self.prior)
            out.append(self._along(scene, labels, liked))
        return out

    @staticmethod
    def _sums(scene: Scene, labels: Floats, weight: Doubles | None) -> Doubles:
        """Returns the sums of the labels of each one's history, [B, F]."""
        out = np.zeros((len(scene.people), labels.shape[1]))
        for b in range(len(out)):
            a, z = scene.bounds[b], scene.bounds[b + 1]
            rows = labels[scene.had[a:z]].astype(np.float64)
            out[b] = rows.sum(axis=0) if weight is None else weight[a:z] @ rows
        return out

    @staticmethod
    def _along(scene: Scene, labels: Floats, taste: Doubles) -> Doubles:
        """Returns a taste [B, F] along each row's labels, [R]."""
        return np.asarray(np.einsum("rf,rf->r", labels[scene.item].astype(np.float64), taste[scene.row]))


@dataclass(frozen=True)
class Quantity(RankFeature):
    """Gives a number of the items' table, and how far it lies from what the person has.

    Attributes:
        column: such as a year.
    """

    column: str

    def names(self, facts: TrainFacts) -> tuple[str, ...]:  # noqa: D102
        return (self.column, f"{self.column}_less_own") if self.column in facts.numbers else ()

    def columns(self, scene: Scene) -> list[Doubles]:  # noqa: D102
        numbers = scene.facts.numbers[self.column].astype(np.float64)
        return [numbers[scene.item], numbers[scene.item] - scene.mean(numbers[scene.had])[scene.row]]


@dataclass(frozen=True)
class Audience(RankFeature):
    """Gives how much more often people of the person's group have the candidate than others do.

    Attributes:
        column: of the users' table: age, gender, occupation.
    """

    column: str

    def names(self, facts: TrainFacts) -> tuple[str, ...]:  # noqa: D102
        return (f"audience_{self.column}",) if self.column in facts.audience else ()

    def columns(self, scene: Scene) -> list[Doubles]:  # noqa: D102
        table, group_of = scene.facts.audience[self.column], scene.facts.group_of[self.column]
        user = scene.people.known_as
        known = (user >= 0) & (user < len(group_of))
        group = np.where(known, group_of[np.where(known, user, 0)] if len(group_of) else -1, -1)
        mine = group[scene.row]
        return [np.where(mine >= 0, table[np.maximum(mine, 0), scene.item], np.nan).astype(np.float64)]
