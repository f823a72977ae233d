"""A Ranker orders the candidates that a first stage found, and says what moved them."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from butaca.cores import cores
from butaca.errors import SettingError
from butaca.rank.boosting import booster
from butaca.rank.facts import Doubles, TrainFacts
from butaca.rank.features import RankFeature
from butaca.rank.kinds import KINDS, kind_of, names_of
from butaca.rank.learn import FactSettings
from butaca.rank.matrix import matrix
from butaca.rank.people import People
from butaca.rank.settings import RankSettings
from butaca.types import Codes, Floats, Times

#: Rows from which on LightGBM predicts with all cores.
MANY = 4096


class Contribution(NamedTuple):
    """A Contribution is a feature's part in a candidate's score.

    Attributes:
        feature: its name.
        value: what it was; nan where unknown.
        points: what it added to the score, against the mean of the training candidates.
    """

    feature: str
    value: float
    points: float


class Ranked(NamedTuple):
    """A Ranked holds candidates in their new order.

    items int32 [B, C], best first, -1 where fewer; scores float64 [B, C], of these; place int64 [B, C],
    where each stood before.
    """

    items: Codes
    scores: Doubles
    place: np.ndarray


@dataclass(frozen=True, eq=False)
class Ranker:
    """A Ranker is LambdaMART (Burges 2010) over declared features, on top of the first stage's own score.

        score = log(share of exp(first stage's score) among the candidates) + weight * sum of trees

    so that without trees the order is the first stage's.

    Attributes:
        settings: as trained.
        facts: of the training data.
        features: declared.
        trees: LightGBM's text model of the order.
        ratings: LightGBM's text model of ratings; "" without.
        calibration: by bin of the score, its mean, the share watched among the held-out people's
            candidates, and their number: float64 [bins, 3].
        gains: by feature, its part in the trees' gain.
        about: figures of training, JSON values.
    """

    settings: RankSettings
    facts: TrainFacts
    features: tuple[RankFeature, ...]
    trees: str
    ratings: str = ""
    calibration: Doubles = field(default_factory=lambda: np.zeros((0, 3)))
    gains: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    about: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))

    def __getstate__(self) -> dict[str, Any]:
        """Returns the fields for a copy or another process, as what can be sent there."""
        state = {part.name: getattr(self, part.name) for part in fields(self)}
        return state | {"gains": dict(self.gains), "about": dict(self.about)}

    @functools.cached_property
    def names(self) -> tuple[str, ...]:
        """Returns the names of the columns of `matrix`."""
        return names_of(self.features, self.facts)

    @property
    def n_items(self) -> int:
        """Returns the size of the catalogue."""
        return self.facts.n_items

    def matrix(self, people: People, candidates: Codes, *, scores: Floats) -> Floats:
        """Returns the features of every candidate, float32 [R, F], the same in training and serving."""
        return matrix(self.features, self.facts, people=people, candidates=candidates, scores=scores)

    def rank(self, people: People, candidates: Codes, *, scores: Floats) -> Ranked:
        """Orders candidates anew; equal scores keep the first stage's order.

        Args:
            people: the persons [B].
            candidates: the first stage's, best first, int32 [B, C]; -1 fills short lists.
            scores: its scores of these, float32 [B, C].
        """
        self._check(people, candidates, scores)
        given = np.full(candidates.shape, -np.inf)
        given[candidates >= 0] = self.scores(self.matrix(people, candidates, scores=scores))
        order = np.argsort(-given, axis=1, kind="stable")
        items = np.take_along_axis(candidates, order, axis=1)
        return Ranked(items, np.take_along_axis(given, order, axis=1), order)

    def scores(self, rows: Floats) -> Doubles:
        """Returns the scores of rows of `matrix`, [R]."""
        if not len(rows):
            return np.zeros(0)
        start = rows[:, self.names.index("retrieval_share")].astype(np.float64)
        threads = 1 if len(rows) < MANY else cores()
        trees: Doubles = self._trees.predict(rows, raw_score=True, num_threads=threads)
        return start + self.settings.weight * trees

    def moved(self, rows: Floats, top: int = 3) -> list[list[Contribution]]:
        """Returns what moved each of some rows of `matrix` most: SHAP values of the trees (Lundberg 2018).

        The largest first, by size.
        """
        if not len(rows):
            return []
        parts: Doubles = np.asarray(self._trees.predict(rows, pred_contrib=True, num_threads=1))[:, :-1]
        parts = parts * self.settings.weight
        order = np.argsort(-np.abs(parts), axis=1, kind="stable")[:, :top]
        return [
            [Contribution(self.names[f], float(rows[r, f]), float(parts[r, f])) for f in mine if parts[r, f]]
            for r, mine in enumerate(order.tolist())
        ]

    def predict_ratings(self, people: People, candidates: Codes, *, scores: Floats) -> Doubles:
        """Returns the rating that each would give to each candidate, [R].

        Raises:
            SettingError: the training data had no ratings.
        """
        if not self.ratings:
            raise SettingError(
                "Ratings are predicted from ratings",
                "a ranker that learned from data without them",
                "Rank only",
            )
        rows = self.matrix(people, candidates, scores=scores)
        if not len(rows):
            return np.zeros(0)
        predicted: Doubles = self._ratings.predict(rows, num_threads=1)
        low, high = self.about.get("rating_range", (-np.inf, np.inf))
        return np.clip(predicted + base_rating(rows, self.names, mean=self.facts.mean_rating), low, high)

    def importance(self) -> dict[str, float]:
        """Returns by feature its share of the trees' gain, the largest first."""
        return dict(sorted(self.gains.items(), key=lambda pair: -pair[1]))

    def people(
        self, users: Codes, histories: Any, *, known_as: Codes | None = None, now: Times | float | None = None
    ) -> People:
        """Returns people at the time that the ranker was trained for.

        Args:
            users: rows of `histories`.
            histories: what was had.
            known_as: rows of the users' table; None: the same.
            now: of a ranker trained on folds in time, the time of asking; None is the end of its data. One of
                random folds asks at each one's latest known time.
        """
        when = None
        if self.settings.folds == "time":
            when = float(now) if now is not None else self.about.get("now")
        return People.of(users, histories, known_as=known_as, when=when)

    @functools.cached_property
    def _trees(self) -> Any:
        return booster(self.trees)

    @functools.cached_property
    def _ratings(self) -> Any:
        return booster(self.ratings)

    def _check(self, people: People, candidates: Codes, scores: Floats) -> None:
        if candidates.shape != scores.shape or len(candidates) != len(people) or candidates.ndim != 2:
            raise SettingError(
                "Every person has a row of candidates, and every candidate a score",
                f"{len(people)} persons, candidates {candidates.shape}, scores {scores.shape}",
                "Pass [B, C] of both, -1 where a list is short",
            )

    # On disk: arrays, JSON values, texts.

    def as_parts(self) -> tuple[dict[str, np.ndarray], dict[str, Any], dict[str, str]]:
        """Returns arrays, JSON values and texts by name; `from_parts` takes them back. Nothing is pickled."""
        arrays = self.facts.as_arrays() | {"calibration": self.calibration}
        numbers = {
            "settings": asdict(self.settings),
            "facts": self.facts.as_numbers(),
            "features": [{"kind": kind_of(f), **asdict(f)} for f in self.features],
            "gains": dict(self.gains),
            "about": dict(self.about),
        }
        return arrays, numbers, {"trees": self.trees} | ({"ratings": self.ratings} if self.ratings else {})

    @classmethod
    def from_parts(
        cls, arrays: Mapping[str, np.ndarray], numbers: Mapping[str, Any], *, texts: Mapping[str, str]
    ) -> Ranker:
        """Returns a ranker from what `as_parts` gave."""
        stored = dict(numbers["settings"])
        settings = RankSettings(**{**stored, "facts": FactSettings(**stored["facts"])})
        facts = TrainFacts.from_parts(
            {n: a for n, a in arrays.items() if n != "calibration"}, numbers["facts"]
        )
        return cls(
            settings,
            facts,
            tuple(_feature(one) for one in numbers["features"]),
            texts["trees"],
            texts.get("ratings", ""),
            arrays["calibration"],
            dict(numbers["gains"]),
            dict(numbers["about"]),
        )


def base_rating(rows: Floats, names: Sequence[str], *, mean: float) -> Doubles:
    """Returns the item's mean and the person's generosity, [R]: what ratings start from."""
    at = {name: i for i, name in enumerate(names)}
    if "rating" not in at:
        return np.full(len(rows), mean)
    return rows[:, at["rating"]].astype(np.float64) + rows[:, at["generosity"]]


def _feature(stored: Mapping[str, Any]) -> RankFeature:
    fields = {n: tuple(v) if isinstance(v, list) else v for n, v in stored.items() if n != "kind"}
    kind = KINDS.get(str(stored["kind"]))
    if kind is None:
        raise SettingError("A stored feature is one that this version computes", repr(stored["kind"]))
    return kind(**fields)
