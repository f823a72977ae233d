"""This module holds the random search that both sides of the order's comparison get, and reads its curves."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

#: (processor seconds of training, NDCG@10 on validation), from epoch to epoch.
Curve = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class OrderTrial:
    """An OrderTrial is one choice of settings, fitted and judged on validation.

    Attributes:
        settings: by name.
        value: the best NDCG@10.
        place: of it in the curve, from 1: the epoch, where each was judged.
        curve: how it came about.
        unfinished: whether the limit of seconds ended it.
    """

    settings: Mapping[str, Any]
    value: float
    place: int
    curve: tuple[tuple[float, float], ...]
    unfinished: bool = False

    @classmethod
    def of(cls, settings: Mapping[str, Any], curve: Curve, *, unfinished: bool = False) -> OrderTrial:
        """Makes a trial that counts by its best epoch, the first where several are."""
        values = [value for _, value in curve]
        best = max(values)
        pairs = tuple((float(seconds), float(value)) for seconds, value in curve)
        return cls(settings, best, values.index(best) + 1, pairs, unfinished)

    @property
    def seconds(self) -> float:
        """Returns the seconds of training to the best epoch."""
        return self.curve[self.place - 1][0]

    def as_json(self) -> dict[str, Any]:
        """Returns the trial as JSON values."""
        curve = [[round(seconds, 2), round(value, 5)] for seconds, value in self.curve]
        return {**vars(self), "settings": dict(self.settings), "curve": curve}


def draws(
    start: Mapping[str, Any], space: Mapping[str, Sequence[Any]], *, trials: int, seed: int
) -> list[dict[str, Any]]:
    """Returns the settings of each trial: the start, then other draws from the space, none twice.

    >>> draws({"dim": 64, "heads": 1}, {"dim": (32, 64)}, trials=3, seed=0)
    [{'dim': 64, 'heads': 1}, {'dim': 32, 'heads': 1}]
    """
    rng = np.random.default_rng(seed)
    drawn, known = [dict(start)], {json.dumps(dict(start), sort_keys=True)}
    most = math.prod(len(values) for values in space.values())
    for _ in range(100 * most):  # a small space runs out
        if len(drawn) >= trials:
            break
        chosen = {**start, **{name: values[int(rng.integers(len(values)))] for name, values in space.items()}}
        text = json.dumps(chosen, sort_keys=True)
        if text not in known:
            known.add(text)
            drawn.append(chosen)
    return drawn


def best_of(trials: Sequence[OrderTrial]) -> OrderTrial:
    """Returns the trial with the best value, the first where several are."""
    return max(trials, key=lambda trial: trial.value)


def reached(curve: Curve, goal: float) -> float | None:
    """Returns the seconds after which a curve first stands at the goal or above; None if it never does.

    >>> reached([(1.0, 0.02), (2.0, 0.05), (3.0, 0.04)], 0.04)
    2.0
    """
    return next((seconds for seconds, value in curve if value >= goal), None)


def places_of(lengths: Sequence[int]) -> int:
    """Returns how many places the peer reads: what 95 % of the histories need, 10 to 100."""
    return int(min(max(math.ceil(np.percentile(lengths, 95)), 10), 100))
