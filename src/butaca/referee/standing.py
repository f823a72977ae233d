"""This module makes rows of what runs gave: means over seeds, differences from the first model, costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

from butaca.evaluate.judged import finite, nullable
from butaca.evaluate.paired import PairedDifference, differences, means
from butaca.referee.run import Outing, ProtocolRuns


@dataclass(frozen=True)
class Standing:
    """A Standing is one model's row on one protocol.

    Attributes:
        name: of the model.
        means: of every figure over seeds, by label; empty where it failed.
        differences: this model less the first, by label; empty for the first, and where either failed.
        failure: why it failed, and with which seed; empty where it did not.
        tried: configurations that validation judged, in the first fit.
        choose_s, fit_s, judge_s: mean seconds over seeds.
        memory_mib: the most that a process held; None where the system does not tell.
        settings: that it was fitted with, by seed.
    """

    name: str
    means: Mapping[str, float] = field(default_factory=dict)
    differences: Mapping[str, PairedDifference] = field(default_factory=dict)
    failure: str = ""
    tried: int = 0
    choose_s: float = 0.0
    fit_s: float = 0.0
    judge_s: float = 0.0
    memory_mib: float | None = None
    settings: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Returns the row as JSON values."""
        if self.failure:
            return {"model": self.name, "failure": self.failure}
        return {
            "model": self.name,
            "means": finite(self.means),
            "differences": {label: as_json(d) for label, d in self.differences.items()},
            "tried": self.tried,
            "choose_s": round(self.choose_s, 3),
            "fit_s": round(self.fit_s, 3),
            "judge_s": round(self.judge_s, 3),
            "memory_mib": self.memory_mib,
            "settings": {str(seed): dict(settings) for seed, settings in self.settings.items()},
        }


def as_json(difference: PairedDifference) -> dict[str, Any]:
    """Returns a difference as JSON values."""
    ends = (difference.value, difference.low, difference.high)
    value, low, high = (nullable(round(end, 6)) for end in ends)
    return {"from": difference.other, "value": value, "low": low, "high": high, "word": difference.word}


def standings(runs: ProtocolRuns) -> list[Standing]:
    """Returns the rows of a protocol, the first model's first; one that failed with any seed has failed."""
    failed = {name: failure(outings, runs.seeds) for name, outings in runs.outings.items()}
    stood = {name: outings for name, outings in runs.outings.items() if not failed[name]}
    first = next(iter(runs.outings), "")
    against: dict[str, dict[str, PairedDifference]] = {}
    if first in stood:
        for found in differences([by_model(stood, at) for at in range(len(runs.seeds))], first):
            against.setdefault(found.other, {})[found.label] = found.turned(first)
    return [
        Standing(name, failure=failed[name])
        if failed[name]
        else row(name, outings, seeds=runs.seeds, against=against.get(name, {}))
        for name, outings in runs.outings.items()
    ]


def by_model(outings: Mapping[str, Sequence[Outing]], at: int) -> dict[str, Any]:
    """Returns every model's evaluation of the seed at this place."""
    return {name: each[at].evaluation for name, each in outings.items()}


def failure(outings: Sequence[Outing], seeds: Sequence[int]) -> str:
    """Returns why a model failed, with the seed where there are several; empty where it did not."""
    for seed, outing in zip(seeds, outings, strict=True):
        if outing.failure:
            return outing.failure if len(seeds) == 1 else f"with seed {seed}: {outing.failure}"
    return ""


def row(
    name: str, outings: Sequence[Outing], *, seeds: Sequence[int], against: Mapping[str, PairedDifference]
) -> Standing:
    """Returns the row of a model that did not fail."""
    memory = [one.memory_mib for one in outings if one.memory_mib is not None]
    return Standing(
        name,
        means([one.evaluation for one in outings if one.evaluation is not None]),
        against,
        tried=outings[0].tried,
        choose_s=fmean(one.choose_s for one in outings),
        fit_s=fmean(one.fit_s for one in outings),
        judge_s=fmean(one.judge_s for one in outings),
        memory_mib=max(memory, default=None),
        settings={seed: one.settings for seed, one in zip(seeds, outings, strict=True)},
    )
