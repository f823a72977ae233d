"""This module holds the quality benchmark's figures, and the JSON of them all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from benchmarks.quality.scores import OverSeeds
from butaca import Evaluation
from butaca.evaluate.verdict import MEASURES, Comparison, Verdict

__all__ = ["COLUMNS", "KEYS", "MEASURES", "TARGETS", "QualityResults", "Split", "as_json"]

#: The measures of the verdict by their names in the JSON.
KEYS = ("top_10", "top_100", "ndcg_10", "recall_20")

#: What the tables show: metric, cut, heading.
COLUMNS = (("top_k_accuracy", 1, "top-1"), *MEASURES)

#: What the split that everything was tuned on should show: at least, and the aim.
TARGETS: Mapping[str, tuple[float, float | None]] = {
    "top_10": (0.175, 0.182),
    "top_100": (0.640, 0.648),
    "ndcg_10": (0.445, None),
    "recall_20": (0.368, None),
}


@dataclass(frozen=True)
class Split:
    """A Split is the outcome of one split.

    Attributes:
        seed: of the split.
        tuned_on: whether settings were chosen on its training data.
        model, peers: evaluations over seeds; a peer without randomness has one.
        popularity: for scale.
        verdict: the model against every peer.
    """

    seed: int
    tuned_on: bool
    model: OverSeeds
    peers: Mapping[str, OverSeeds]
    popularity: Evaluation
    verdict: Verdict

    def best(self, metric: str, k: int) -> str:
        """Returns the peer that leads a measure."""
        return max(self.peers, key=lambda name: self.peers[name].metric(metric, k))


@dataclass(frozen=True)
class Claim:
    """A Claim is something that the first split is to show.

    Attributes:
        key: its name in the JSON.
        sentence: what a reader sees.
        ok: whether it does.
    """

    key: str
    sentence: str
    ok: bool


@dataclass
class QualityResults:
    """A QualityResults holds everything measured.

    Attributes:
        settings: by peer, what `quality_tune` wrote.
        seeds: of every model with randomness.
        load_average: when the benchmark began.
        validation: the model's NDCG@20 on the validation slice, mean over seeds.
        fit_cold, fit_warm: the model's seconds, by process.
        ials_warm: those of iALS, each right after the model's.
        peer_warm: those of every peer, median of three.
        versions: of butaca's side, and of the peers' libraries.
    """

    settings: Mapping[str, Any]
    seeds: int
    load_average: float
    validation: float = float("nan")
    splits: list[Split] = field(default_factory=list)
    fit_cold: list[float] = field(default_factory=list)
    fit_warm: list[float] = field(default_factory=list)
    ials_warm: list[float] = field(default_factory=list)
    peer_warm: dict[str, float] = field(default_factory=dict)
    versions: dict[str, Any] = field(default_factory=dict)

    @property
    def picked(self) -> str:
        """Returns the peer with the best validation."""
        return max(self.settings, key=lambda name: float(self.settings[name]["validation"]))

    @property
    def ials_ratio(self) -> float | None:
        """Returns the model's warm fit over that of tuned iALS: median of the turns."""
        if not self.ials_warm:
            return None
        return median(ours / ials for ours, ials in zip(self.fit_warm, self.ials_warm, strict=True))

    def claims(self) -> list[Claim]:
        """Returns what the first split is to show, and whether it does."""
        first = self.splits[0]
        out = []
        for key, (metric, k, label) in zip(KEYS, MEASURES, strict=True):
            value, (least, aim) = first.model.metric(metric, k), TARGETS[key]
            hope = "" if aim is None else f", aim {aim:g}"
            out.append(Claim(key, f"{label} {value:.4f}: at least {least:g}{hope}", value >= least))
        winners = "; ".join(
            f"{name} on {', '.join(labels)}"
            for name, row in first.verdict.against.items()
            if (labels := [c.label for c in row if c.word == "loses"])
        )
        sentence = f"Peers that beat the model: {winners or 'none'}"
        out.append(Claim("no_peer_beats_it", sentence, not winners))
        beaten = ", ".join(c.label for c in first.verdict.against[self.picked] if c.word == "beats")
        sentence = f"Beats {self.picked}, which validation picks, on: {beaten or 'nothing'}"
        out.append(Claim("beats_the_picked_peer", sentence, bool(beaten)))
        cold, warm = median(self.fit_cold), median(self.fit_warm)
        out.append(Claim("fit_cold", f"Fit, cold, {cold:.2f} s: at most 3 s, aim 1.5 s", cold <= 3))
        out.append(Claim("fit_warm", f"Fit, warm, {warm:.2f} s: at most 1 s, aim 0.4 s", warm <= 1))
        return out


def as_json(results: QualityResults) -> dict[str, Any]:
    """Returns one line's worth; the figures at the top are the first split's."""
    first = results.splits[0]
    out: dict[str, Any] = {"benchmark": "quality", "seeds": results.seeds}
    for key, (metric, k, _) in zip(KEYS, MEASURES, strict=True):
        out[key] = digits(first.model.metric(metric, k))
    out |= {"fit_cold_s": digits(median(results.fit_cold)), "fit_warm_s": digits(median(results.fit_warm))}
    best = {key: first.best(metric, k) for key, (metric, k, _) in zip(KEYS, MEASURES, strict=True)}
    for key, (metric, k, _) in zip(KEYS, MEASURES, strict=True):
        out[f"peer_{key}"] = digits(first.peers[best[key]].metric(metric, k))
    ratio = results.ials_ratio
    return out | {
        "best_peer": best,
        "picked_by_validation": results.picked,
        "validation": {
            "butaca": digits(results.validation),
            **{name: digits(found["validation"]) for name, found in results.settings.items()},
        },
        "ials_ratio": None if ratio is None else digits(ratio, 2),
        "claims": {claim.key: claim.ok for claim in results.claims()},
        "splits": {str(s.seed): _split(s) for s in results.splits},
        "verdicts": {str(s.seed): comparisons(s.verdict.against, KEYS) for s in results.splits},
        "peer_fit_warm_s": {name: digits(s) for name, s in results.peer_warm.items()},
        "versions": results.versions,
        "load_average_before": results.load_average,
    }


def digits(value: float, n: int = 4) -> float:
    """Rounds to as many digits as mean something."""
    return round(float(value), n)


def _split(split: Split) -> dict[str, Any]:
    rows: dict[str, Evaluation] = {"butaca": split.model, **split.peers, "popularity": split.popularity}
    keys = ("top_1", *KEYS)
    return {
        name: {key: digits(e.metric(m, k)) for key, (m, k, _) in zip(keys, COLUMNS, strict=True)}
        for name, e in rows.items()
    }


def comparisons(against: Mapping[str, Sequence[Comparison]], keys: Sequence[str]) -> dict[str, Any]:
    """Returns the comparisons with every peer as JSON values: by key the word, the difference, its ends."""
    return {
        name: {
            key: [c.word, digits(c.difference), digits(c.low), digits(c.high)]
            for key, c in zip(keys, row, strict=True)
        }
        for name, row in against.items()
    }
