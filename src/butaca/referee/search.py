"""This module gives every model the same trials on validation: its own settings first, then seeded draws.

What is drawn is settled by the seed. Every trial is fitted on the training side less a slice that is held out
as the test side was, and counts by the geometric mean of the verdict's measures there: the slice and the
measure by which `fit` chooses (`choose/slices.py`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np

from butaca.choose.slices import ValidationSlice
from butaca.data.dataset import Dataset
from butaca.errors import SettingError, SplitError
from butaca.types import Scorer

#: A model's settings by name.
Settings: TypeAlias = Mapping[str, Any]

#: Draws without anything new after which a space counts as used up.
IN_VAIN = 50


@dataclass(frozen=True)
class Between:
    """A Between is a setting drawn evenly between two ends, on a scale of logarithms unless it is said.

    Attributes:
        low, high: the ends.
        whole: only whole numbers.
        even: on the scale of the numbers themselves.
    """

    low: float
    high: float
    whole: bool = False
    even: bool = False

    def draw(self, rng: np.random.Generator) -> Any:
        """Returns a number."""
        if self.even:
            value = float(rng.uniform(self.low, self.high))
        else:
            value = math.exp(rng.uniform(math.log(self.low), math.log(self.high)))
        return round(value) if self.whole else float(f"{value:.4g}")


@dataclass(frozen=True)
class OneOf:
    """A OneOf is a setting drawn from a few values."""

    values: tuple[Any, ...]

    def draw(self, rng: np.random.Generator) -> Any:
        """Returns one of them."""
        return self.values[int(rng.integers(len(self.values)))]


Space: TypeAlias = Mapping[str, Between | OneOf]


class Fits(Protocol):
    """A Fits is a function that fits a model with settings."""

    def __call__(self, train: Dataset, settings: Settings, *, seed: int) -> Scorer:
        """Returns a fitted scorer."""
        ...


@dataclass(frozen=True)
class FoundSettings:
    """A FoundSettings is what a search found.

    Attributes:
        settings: the best.
        tried: how many were judged; 0 where there was nothing to choose, or nothing to hold out.
        value: of the best on the slice; nan where none was judged.
    """

    settings: Settings
    tried: int = 0
    value: float = math.nan


def draws(start: Settings, space: Space, *, trials: int, seed: int) -> list[dict[str, Any]]:
    """Returns the settings of each trial: the start, then draws from the space, none twice.

    >>> draws({"k": 1}, {"k": OneOf((1, 2))}, trials=5, seed=0)
    [{'k': 1}, {'k': 2}]
    """
    rng = np.random.default_rng([seed, 8])
    found = [dict(start)]
    in_vain = 0
    while len(found) < trials and space and in_vain < IN_VAIN:
        drawn = {**start, **{name: of.draw(rng) for name, of in space.items()}}
        in_vain = in_vain + 1 if drawn in found else 0
        if not in_vain:
            found.append(drawn)
    return found


def search(
    fit: Fits, train: Dataset, *, start: Settings, space: Space, split: str, trials: int, seed: int
) -> FoundSettings:
    """Returns the best settings of so many trials; the start where there is nothing to choose.

    A trial that fails counts for nothing; where all do, the last one's error is raised.

    Args:
        fit: fits the model.
        train: the training side.
        start: the first trial.
        space: what others draw.
        split: how the test side was held out, as the slice is.
        trials: how many.
        seed: of the draws, of the slice and of every trial's model.
    """
    tries: Sequence[dict[str, Any]] = draws(start, space, trials=trials, seed=seed)
    if len(tries) < 2:
        return FoundSettings(start)
    try:
        part = ValidationSlice.of(train, split, seed=seed)
    except SplitError:  # too few to hold anything out
        return FoundSettings(start)
    values: list[float] = []
    wrong: Exception | None = None
    for settings in tries:
        try:
            values.append(part.value(fit(part.train, settings, seed=seed)))
        except Exception as error:  # of another library, which may raise anything
            wrong = error
            values.append(-math.inf)
    best = int(np.argmax(values))
    if wrong is not None and not math.isfinite(values[best]):
        raise SettingError(
            "A model is chosen among settings with which it can be fitted",
            f"{len(tries)} that fail, the last with {type(wrong).__name__}: {wrong}",
            "Leave the model out",
        ) from wrong
    return FoundSettings(tries[best], len(tries), values[best])
