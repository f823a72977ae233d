"""This module declares features of (person, candidate, time of asking), the same in training and serving.

A feature is a small frozen record that names its columns and computes them on a `Scene`. `matrix` puts
them side by side, for any number of persons; training and serving call nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from butaca.model.order.moments import DAY
from butaca.rank.facts import Doubles, TrainFacts
from butaca.rank.scene import Scene


@dataclass(frozen=True)
class RankFeature:
    """A RankFeature is something that is known of a candidate for a person at a time."""

    def names(self, facts: TrainFacts) -> tuple[str, ...]:
        """Returns the names of its columns; () where the facts do not allow it."""
        raise NotImplementedError

    def columns(self, scene: Scene) -> list[Doubles]:
        """Returns a value of each row for each of `names`; nan is unknown."""
        raise NotImplementedError


@dataclass(frozen=True)
class Retrieval(RankFeature):
    """Gives the first stage's score: in standard deviations, as log of a share, and its rank."""

    def names(self, facts: TrainFacts) -> tuple[str, ...]:  # noqa: D102
        return ("retrieval_score", "retrieval_share", "retrieval_rank")

    def columns(self, scene: Scene) -> list[Doubles]:  # noqa: D102
        score = np.where(scene.real, scene.scores, -np.inf).astype(np.float64)
        count = np.maximum(scene.real.sum(axis=1, keepdims=True), 1)
        finite = np.where(scene.real, score, 0.0)
        mean = finite.sum(axis=1, keepdims=True) / count
        off = np.where(scene.real, score - mean, 0.0)
        deviation = np.sqrt(np.square(off).sum(axis=1, keepdims=True) / count)
        top = score.max(axis=1, keepdims=True, initial=-np.inf)
        with np.errstate(invalid="ignore", divide="ignore"):  # of no candidates
            share = score - top - np.log(np.exp(score - top).sum(axis=1, keepdims=True))
        order = np.argsort(-score, axis=1, kind="stable")
        rank = np.empty_like(order)
        np.put_along_axis(rank, order, np.arange(order.shape[1])[None], axis=1)
        standard = off / np.maximum(deviation, 1e-9)
        return [standard[scene.rows], share[scene.rows], np.log1p(rank)[scene.rows]]


@dataclass(frozen=True)
class Neighbourhood(RankFeature):
    """Gives scores of an item-to-item model: over what was had, by rating, the latest alone, the strongest.

    Attributes:
        model: "together" (item-kNN), "linear" (EASE) or "near" (item-kNN of what is had in a row).
    """

    model: str

    def names(self, facts: TrainFacts) -> tuple[str, ...]:  # noqa: D102
        kinds = ("all", "liked", "late", "strongest")
        return tuple(f"{self.model}_{kind}" for kind in kinds) if self.model in facts.neighbours else ()

    def columns(self, scene: Scene) -> list[Doubles]:  # noqa: D102
        found = scene.facts.neighbours[self.model]
        n = len(scene.item)
        at = found.items.take(scene.item, axis=0)  # [R, K]
        if len(scene.people) > 1:
            at = at + (scene.row * scene.facts.n_items)[:, None]
        entry = scene.entry_of.ravel().take(at.ravel(), mode="clip")
        had = np.flatnonzero(entry >= 0)  # few of the neighbours are in a history: only these count
        entry, row = entry.take(had), had // at.shape[1]
        weight = found.weights.take(scene.item, axis=0).ravel().take(had).astype(np.float64)
        size = np.bincount(row, np.abs(weight), n)
        liked = np.bincount(row, weight * scene.liked.take(entry), n) / (size + 0.05)
        late = np.bincount(row, weight * scene.late.take(entry), n)
        strongest = np.zeros(n)
        if len(row):
            begin = np.flatnonzero(np.concatenate([[True], row[1:] != row[:-1]]))
            strongest[row[begin]] = np.maximum(np.maximum.reduceat(weight, begin), 0.0)
        return [np.bincount(row, weight, n), liked, late, strongest]


@dataclass(frozen=True)
class Popular(RankFeature):
    """Gives how many had the item, and how that compares with what the person has."""

    def names(self, facts: TrainFacts) -> tuple[str, ...]:  # noqa: D102
        return ("popularity", "popularity_less_own")

    def columns(self, scene: Scene) -> list[Doubles]:  # noqa: D102
        log = np.log((scene.facts.users_of + 1.0) / (scene.facts.people + 1.0)).astype(np.float64)
        mine = log[scene.item]
        return [mine, mine - scene.mean(log[scene.had])[scene.row]]


@dataclass(frozen=True)
class Recent(RankFeature):
    """Gives popularity around the time of asking, over windows of time; its trend against all of time.

    Only known interactions count: where the time of asking is the end of the data, a window is the
    last days.

    Attributes:
        shares: half the windows' widths, in parts of the time that the facts span.
    """

    shares: tuple[float, ...] = (0.01, 0.04, 0.15)

    def names(self, facts: TrainFacts) -> tuple[str, ...]:  # noqa: D102
        if facts.counts is None:
            return ()
        return (*(f"recent_{s:g}" for s in self.shares), *(f"trend_{s:g}" for s in self.shares))

    def columns(self, scene: Scene) -> list[Doubles]:  # noqa: D102
        facts = scene.facts
        assert facts.times is not None
        assert facts.counts is not None
        span = facts.times[-1] - facts.times[0]
        when = np.nan_to_num(scene.people.when, nan=float(facts.times[-1]))
        when = np.clip(when, facts.times[0], facts.times[-1])
        everyone = facts.counts[-1, scene.item] / max(float(facts.totals[-1]), 1.0)  # [R]
        usual = np.log(everyone + 1e-7)
        windows, trends = [], []
        for s in self.shares:
            after, all_after = self._before(scene, when + s * span)
            before, all_before = self._before(scene, when - s * span)
            of_all = (all_after - all_before)[scene.row]
            recent = np.log((after - before + 200.0 * everyone) / (of_all + 200.0) + 1e-7)
            windows.append(recent)
            trends.append(recent - usual)
        return windows + trends

    @staticmethod
    def _before(scene: Scene, moments: Doubles) -> tuple[Doubles, Doubles]:
        """Returns the interactions before moments [B], in proportion: of a row's item [R], of all [B]."""
        facts = scene.facts
        assert facts.times is not None
        assert facts.counts is not None
        step = facts.times[1] - facts.times[0]
        place = np.clip((moments - facts.times[0]) / step, 0, len(facts.times) - 1)
        low = np.minimum(place.astype(np.int64), len(facts.times) - 2)
        part = place - low
        edge, by_row = low[scene.row], part[scene.row]
        counts = facts.counts
        mine = counts[edge, scene.item] * (1 - by_row) + counts[edge + 1, scene.item] * by_row
        return mine, facts.totals[low] * (1 - part) + facts.totals[low + 1] * part


@dataclass(frozen=True)
class AgeOfItem(RankFeature):
    """Gives the days from the item's first and typical time to the time of asking."""

    def names(self, facts: TrainFacts) -> tuple[str, ...]:  # noqa: D102
        return () if facts.first is None else ("days_since_first", "days_since_typical")

    def columns(self, scene: Scene) -> list[Doubles]:  # noqa: D102
        facts = scene.facts
        assert facts.first is not None
        assert facts.typical is not None
        when = scene.people.when[scene.row]
        return [(when - facts.first[scene.item]) / DAY, (when - facts.typical[scene.item]) / DAY]


@dataclass(frozen=True)
class RatingFeatures(RankFeature):
    """Gives how well the item is rated, how it divides, how generous the person is, and how they vary."""

    def names(self, facts: TrainFacts) -> tuple[str, ...]:  # noqa: D102
        return () if facts.rating is None else ("rating", "divisive", "generosity", "own_spread")

    def columns(self, scene: Scene) -> list[Doubles]:  # noqa: D102
        facts = scene.facts
        assert facts.rating is not None
        assert facts.spread is not None
        off = scene.value - scene.mean(scene.value)[scene.entries[0]]
        own = np.sqrt(scene.mean(np.square(off)))
        return [
            facts.rating[scene.item].astype(np.float64),
            facts.spread[scene.item].astype(np.float64),
            scene.generosity[scene.row],
            own[scene.row],
        ]


@dataclass(frozen=True)
class PersonSize(RankFeature):
    """Gives how much is known of the person."""

    def names(self, facts: TrainFacts) -> tuple[str, ...]:  # noqa: D102
        return ("history",)

    def columns(self, scene: Scene) -> list[Doubles]:  # noqa: D102
        return [np.log1p(scene.length)[scene.row]]


@dataclass(frozen=True)
class Likeness(RankFeature):
    """Gives cosines of the first stage's item vectors: to the nearest item had, the latest, the best rated.

    Attributes:
        n: how many latest and best items.
    """

    n: int = 5

    def names(self, facts: TrainFacts) -> tuple[str, ...]:  # noqa: D102
        if not facts.vectors.shape[1]:
            return ()
        return ("like_nearest", "like_latest") + (("like_best",) if facts.rating is not None else ())

    def columns(self, scene: Scene) -> list[Doubles]:  # noqa: D102
        vectors, by_rating = scene.facts.vectors, scene.facts.rating is not None
        out = np.full((2 + by_rating, len(scene.item)), np.nan)
        edges = np.searchsorted(scene.row, np.arange(len(scene.people) + 1))
        for b in range(len(scene.people)):
            a, z = scene.bounds[b], scene.bounds[b + 1]
            if a == z:
                continue
            had = vectors[scene.had[a:z]]
            mine = slice(edges[b], edges[b + 1])
            cosine = vectors[scene.item[mine]] @ had.T  # [C, m]
            out[0, mine] = cosine.max(axis=1)
            place = scene.place[a:z]
            out[1, mine] = cosine[:, np.argsort(place, kind="stable")[: self.n]].mean(axis=1)
            if by_rating:
                worth = np.nan_to_num(scene.value[a:z], nan=-np.inf)
                out[2, mine] = cosine[:, np.lexsort((place, -worth))[: self.n]].mean(axis=1)
        return list(out)
