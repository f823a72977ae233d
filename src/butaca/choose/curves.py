"""This module chooses what an amount is worth beside 1, where nobody said it: a curve of `data/signal.py`.

Each curve weighs the slice's training side anew, and the closed form is fitted to it where it starts: no
tower is trained. The default stays unless another is better by more than noise.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, get_args

from butaca.choose.closed_forms import STARTS, scores_of
from butaca.choose.slices import ValidationSlice
from butaca.data.dataset import Dataset
from butaca.data.histories import Histories, leaving_lists
from butaca.data.settled import unless_even
from butaca.data.signal import Curve, Signal
from butaca.evaluate.protocol import evaluate_scorer
from butaca.evaluate.verdict import verdict
from butaca.model.spectral_settings import Form

#: Those that are tried, the default first.
CURVES: Sequence[Curve] = get_args(Curve)

#: In words.
SAID: Mapping[Curve, str] = {
    "log": "1 + ln(n) / 4",
    "sqrt": "the root of n",
    "linear": "n itself",
    "one": "once, however many",
}


@dataclass(frozen=True)
class ChosenCurve:
    """A ChosenCurve says what amounts are worth, beside what.

    Attributes:
        curve: that was chosen.
        values: of each curve on the slice, the geometric mean of the verdict's measures.
    """

    curve: Curve
    values: Mapping[Curve, float]

    @property
    def sentence(self) -> str:
        """Says what was chosen, and by which figures."""
        others = ", ".join(f"{c!r} {v:.4f}" for c, v in self.values.items() if c != self.curve)
        better = "" if self.curve == CURVES[0] else ", better by more than noise"
        return (
            f"An amount n counts {SAID[self.curve]} (--weight-curve {self.curve}{better}): the closed form "
            f"alone {self.values[self.curve]:.4f}; {others}."
        )

    def as_json(self) -> dict[str, Any]:
        """Returns the choice for a model's manifest."""
        return {"curve": self.curve, "values": dict(self.values), "sentence": self.sentence}


def is_open(train: Dataset, signal: Signal | None) -> bool:
    """Says whether a curve is to be chosen: amounts differ, and nobody said what they are worth."""
    return signal is not None and signal.leaves_curve and train.weight is not None


def weighed(data: Dataset, curve: Curve, *, signal: Signal) -> Dataset:
    """Returns data whose weights came by one curve as another would have given them."""
    if data.weight is None:
        return data
    amount = signal.amounts(data.weight.astype(float))
    weight = replace(signal, curve=curve).worth(amount).astype(data.weight.dtype)
    return replace(data, weight=unless_even(weight))


def choose_curve(
    part: ValidationSlice, signal: Signal, *, form: Form, advance: Callable[[], None] | None = None
) -> ChosenCurve:
    """Returns the curve that suits a slice.

    Args:
        part: whose weights came by the default curve.
        signal: of its data.
        form: of the closed form.
        advance: called after each curve.
    """
    found, values = {}, {}
    for curve in CURVES:
        tried = weighed_slice(part, curve, signal=signal)
        scorer = part.rows(scores_of(tried, STARTS[form]).tower)
        gone = leaving_lists(tried.seen, again=part.train.again)
        found[curve] = evaluate_scorer(scorer, part.validation, seen=gone)
        values[curve] = part.value(scorer)
        if advance:
            advance()
    default = found[CURVES[0]]
    better = [c for c in CURVES[1:] if verdict(found[c], {"": default}).word("") == "beats"]
    return ChosenCurve(max(better, key=lambda c: values[c], default=CURVES[0]), values)


def weighed_slice(part: ValidationSlice, curve: Curve, *, signal: Signal) -> ValidationSlice:
    """Returns a slice whose training side is weighed by another curve."""
    train = weighed(part.train, curve, signal=signal)
    return replace(part, train=train, seen=Histories.of(train))
