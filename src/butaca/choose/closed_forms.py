"""This module chooses the closed form: the settings of the tower that nothing trains (model/spectral.py).

One setting after another is moved over a few values, and stays where the slice is best: eleven towers, none
of which takes a step of training. Each form, the filter on leading eigenvectors and the whole ridge
regression, starts where validation on several data sets found it good (docs/decisions/020-choice.md).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from butaca.choose.slices import ValidationSlice
from butaca.model.closeness import SortedInteractions
from butaca.model.query import QueryTower
from butaca.model.ridge import RIDGE_ITEMS, Regression, regression
from butaca.model.spectral import Spectrum, closed_form, decompose
from butaca.model.spectral_settings import Form, SpectralSettings
from butaca.train.vectors import brought, spread
from butaca.types import Floats

#: A setting and the values that are tried of it.
Axis: TypeAlias = tuple[str, Sequence[Any]]

STARTS: Mapping[Form, SpectralSettings] = {
    "ridge": SpectralSettings(
        span=16.3,
        user_power=0.0,
        item_power=0.2,
        dim=128,
        ridge=3.0,
        leave_out=0.5,
        history_power=0.2,
        candidate_power=0.1,
        form="ridge",
    ),
    "filter": SpectralSettings(
        span=16.3,
        user_power=0.3,
        item_power=0.35,
        dim=128,
        ridge=2.0,
        leave_out=0.3,
        history_power=0.3,
        candidate_power=0.1,
    ),
}

AXES: Mapping[Form, Sequence[Axis]] = {
    "ridge": (
        ("span", (16.3, math.inf)),
        ("ridge", (3.0, 1.0, 10.0)),
        ("leave_out", (0.5, 1.0)),
        ("candidate_power", (0.1, 0.25, -0.05)),
        ("item_power", (0.2, 0.4)),
        ("dim", (128, 64, 256, 512)),
    ),
    "filter": (
        ("span", (16.3, math.inf)),
        ("ridge", (2.0, 0.5, 10.0)),
        ("dim", (128, 64, 256)),
        ("candidate_power", (0.1, 0.3, -0.05)),
        ("leave_out", (0.3, 0.0, 0.6)),
        ("history_power", (0.3, 0.5)),
    ),
}

#: Pairs of items that are kept of each item beyond a cut regression.
KEPT = 16

#: Pairs take part where the slice is better by as much: by chance they gain less, and where they help it is
#: two to eight parts in a hundred.
WORTH = 1.005

#: How much pairs count beside a closed form alone, in parts of its spread.
PAIRS: Sequence[float] = (0.0, 0.1, 0.2, 0.4, 0.8, 1.6)

#: Eigenvectors that are found at once, for filters of any width that is tried.
WIDEST = max(next(values for name, values in AXES["filter"] if name == "dim"))


class FormScores(NamedTuple):
    """A FormScores is what a closed form gives the users of a slice.

    Attributes:
        tower: products of its vectors [R, N].
        pairs: what single pairs of items add, at a scale of 1 [R, N]; None where it has none.
    """

    tower: Floats
    pairs: Floats | None = None


@dataclass(frozen=True)
class FoundForm:
    """A FoundForm is a choice of settings, judged.

    Attributes:
        settings: of the tower.
        value: on the slice, with the pairs of items at their best weight.
        tried: towers that were judged on the way.
    """

    settings: SpectralSettings
    value: float
    tried: int


def forms(n_items: int) -> Sequence[Form]:
    """Returns the closed forms to try; the filter was behind the regression where that sees every item."""
    return ("ridge",) if n_items <= RIDGE_ITEMS else ("ridge", "filter")


def n_tried(form: Form, timed: bool) -> int:
    """Returns how many towers a search of this form judges."""
    return 1 + sum(len(values) - 1 for name, values in AXES[form] if timed or name != "span")


def search(
    part: ValidationSlice, form: Form, *, advance: Callable[[], None] | None = None
) -> tuple[FoundForm, FormScores]:
    """Finds settings of one form, and returns them with the scores of the slice's users.

    Its dimensions are chosen with the pairs beside them: what one keeps the other need not.

    Args:
        part: what it is fitted and judged on.
        form: of the tower.
        advance: called after each tower.
    """
    timed = part.train.timestamp is not None
    towers = _Towers(part)
    best = STARTS[form] if timed else replace(STARTS[form], span=math.inf)
    scores = towers.scores(best)
    value, tried = part.value(part.rows(scores.tower)), 1
    if advance:
        advance()
    for name, values in AXES[form]:
        if name == "span" and not timed:
            continue
        if name == "dim" and form == "ridge":
            best = replace(best, pairs=KEPT)
            scores = towers.scores(best)
            value = _with_pairs(part, scores, value)
        for settings in _moved(best, name, values):
            found = towers.scores(settings)
            its_value, tried = part.value(part.rows(found.tower)), tried + 1
            if name == "dim":
                its_value = _with_pairs(part, found, its_value)
            if its_value > value:
                best, value, scores = settings, its_value, found
            if advance:
                advance()
    return FoundForm(best, value, tried), scores


def best_closed(
    part: ValidationSlice, advance: Callable[[], None] | None = None
) -> tuple[FoundForm, FormScores]:
    """Returns the better of the forms that are tried, with the scores of the slice's users.

    Args:
        part: the slice.
        advance: called for each tower that is judged.
    """
    best: tuple[FoundForm, FormScores] | None = None
    for form in forms(len(part.train.items)):
        found = search(part, form, advance=advance)
        if best is None or found[0].value > best[0].value:
            best = found
    assert best is not None
    return best


def _with_pairs(part: ValidationSlice, scores: FormScores, value: float) -> float:
    """Returns the value of a form with its pairs at their best weight, of which 0 has the value given."""
    if scores.pairs is None:
        return value
    ratio = brought(scores.pairs, to=spread(scores.tower))
    tried = (scores.tower + np.float32(weight * ratio) * scores.pairs for weight in PAIRS if weight)
    best = max(part.value(part.rows(both)) for both in tried)
    return best if best > value * WORTH else value


def scores_of(part: ValidationSlice, settings: SpectralSettings) -> FormScores:
    """Returns the scores of a slice's users by one closed form."""
    timed = part.train.timestamp is not None
    return _Towers(part).scores(settings if timed else replace(settings, span=math.inf))


def _moved(settings: SpectralSettings, name: str, values: Sequence[Any]) -> Iterator[SpectralSettings]:
    """Yields the settings with other values of one; powers of the history move with those of the items."""
    for value in values:
        if value == getattr(settings, name):
            continue
        changed: dict[str, Any] = {name: value}
        if name == "item_power" and settings.form == "ridge":
            shift = value - settings.item_power
            changed |= {
                "history_power": settings.history_power + shift,
                "candidate_power": settings.candidate_power + shift,
            }
        yield replace(settings, **changed)


class _Towers:
    """A _Towers makes closed forms of a slice, and keeps the decomposition that one after another shares."""

    def __init__(self, part: ValidationSlice) -> None:
        self.part = part
        self._kept: tuple[SpectralSettings, Spectrum | Regression] | None = None

    def scores(self, settings: SpectralSettings) -> FormScores:
        """Returns the scores of the slice's users."""
        of, users, seen = self._decomposed(settings), self.part.users, self.part.seen
        pairs = None
        if isinstance(of, Regression):
            table, candidates, pairs = of.towers(settings)
        else:
            table, candidates = closed_form(of, settings)
        tower = QueryTower(np.zeros((1, 0), np.float32), head=table)
        out: Floats = tower(users, seen) @ candidates.T
        return FormScores(out, None if pairs is None else pairs.scores(users, seen))

    def _decomposed(self, settings: SpectralSettings) -> Spectrum | Regression:
        """Returns eigenvectors for any filter, or the inverse, found anew where what they hang on changed."""
        whole = settings.form == "ridge"
        key = SpectralSettings(
            span=settings.span,
            user_power=settings.user_power,
            item_power=settings.item_power,
            ridge=settings.ridge if whole else 0.0,
            dim=WIDEST,
            form=settings.form,
        )
        if self._kept is None or self._kept[0] != key:
            self._kept = key, self._regression(key) if whole else self._spectrum(key)
        return self._kept[1]

    def _spectrum(self, settings: SpectralSettings) -> Spectrum:
        train = self.part.train
        return decompose(
            train.user,
            train.item,
            time=train.timestamp,
            n_items=len(train.items),
            dim=settings.dim,
            settings=settings,
            weight=train.weight,
        )

    def _regression(self, settings: SpectralSettings) -> Regression:
        train = self.part.train
        time = None if math.isinf(settings.span) else train.timestamp
        had = SortedInteractions.of(train.user, train.item, time=time, weight=train.weight)
        return regression(had, n_items=len(train.items), settings=settings)
