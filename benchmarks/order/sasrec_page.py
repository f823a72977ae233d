"""This module says what the comparison with SASRec found: a section of docs/order.md, and JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.order.search import OrderTrial, reached
from benchmarks.pages import markdown
from benchmarks.quality.figures import MEASURES
from benchmarks.shapes.fits import as_figures, cells, difference_text
from butaca import Evaluation
from butaca.evaluate.verdict import Verdict
from butaca.model.features import Order
from butaca.referee.tables import seconds


@dataclass(frozen=True, eq=False)
class PeerSide:
    """A PeerSide is what one data set says of the peer and of histories in order.

    Attributes:
        data: its name.
        peer: the best trial; `tried` are all.
        ours: by order, the best trial.
        judged, evaluations: on the test side.
        verdicts: by order, against the peer.
        peer_seconds, our_seconds: of the fit on the whole training side.
        versions: of the peer's libraries.
    """

    data: str
    peer: OrderTrial
    tried: Sequence[OrderTrial]
    ours: Mapping[Order, OrderTrial]
    judged: Evaluation
    evaluations: Mapping[Order, Evaluation]
    verdicts: Mapping[Order, Verdict]
    peer_seconds: float
    our_seconds: Mapping[Order, float]
    versions: Mapping[str, str]

    def until(self, order: Order) -> float | None:
        """Returns our seconds to the peer's best validation figure."""
        return reached(self.ours[order].curve, self.peer.value)

    @property
    def unfinished(self) -> int:
        """Counts trials of the peer that the limit of seconds ended."""
        return sum(trial.unfinished for trial in self.tried)


def ratio_text(ours: float | None, theirs: float) -> str:
    """Writes how many times as long the peer took.

    >>> ratio_text(2.0, 30.0), ratio_text(30.0, 20.0), ratio_text(None, 30.0)
    ('15 times', '0.67 times', 'not reached')
    """
    if ours is None:
        return "not reached"
    times = theirs / ours
    return f"{times:.0f} times" if times >= 9.95 else f"{times:.2g} times"


def section(found: Sequence[PeerSide], trials: int, *, seconds: float, cpu: str, note: str) -> str:
    """Returns what the page says."""
    versions = found[0].versions
    return "\n\n".join(
        [
            f"RecTools {versions['rectools']}'s SASRec (PyTorch {versions['torch']}), split by each "
            f"user's last. Each side got {trials} trials on the last but one, the first a start and "
            "the others drawn at random; NDCG@10 there decided. Equal trials are not equal tuning: "
            "our start is the recipe, whose settings many earlier trials on validation sides of these"
            " data chose, and the peer's is one block of 64 dimensions with a rate and batches that "
            "one core can bear, from a few looks at its curve on the same validation side. A trial of"
            f" the peer ended after 15 epochs without a better one, or after {seconds:.0f} s of "
            "training; its best epoch counts, where ours is judged by its last. One fit of each on "
            "the whole training side, one seed, judged by one protocol with seen items left out:",
            markdown(["data", "", *(label for _, _, label in MEASURES), "fit"], figure_rows(found)),
            "Histories in order less SASRec, paired by user, with 95 % intervals from 2,000 resamples:",
            markdown(["data", "", *(label for _, _, label in MEASURES)], verdict_rows(found)),
            "What the searches found, and the seconds from the start of a fit until the peer's best figure "
            "on validation, compiling counted. Ours is looked at in six of its epochs only, so its "
            "seconds are an upper bound:",
            markdown(
                ["data", "", "NDCG@10 on validation", "seconds to the peer's", "the peer's time", "settings"],
                time_rows(found),
            ),
            *caveats(found),
            f"Seconds are those of one core of {cpu}, as the system counts a process's own. {note}".strip(),
        ]
    )


def figure_rows(found: Sequence[PeerSide]) -> list[list[str]]:
    """Returns the figures on the test side."""
    rows = []
    for side in found:
        for order, evaluation in side.evaluations.items():
            rows.append([side.data, order, *cells(evaluation), seconds(side.our_seconds[order])])
        rows.append(["", "SASRec", *cells(side.judged), seconds(side.peer_seconds)])
    return rows


def verdict_rows(found: Sequence[PeerSide]) -> list[list[str]]:
    """Returns the differences."""
    return [
        [side.data, order, *(difference_text(c) for c in verdict.against["SASRec"])]
        for side in found
        for order, verdict in side.verdicts.items()
    ]


def time_rows(found: Sequence[PeerSide]) -> list[list[str]]:
    """Returns validation figures and seconds."""
    rows = []
    for side in found:
        for order, trial in side.ours.items():
            until = side.until(order)
            times = ratio_text(until, side.peer.seconds)
            said = "–" if until is None else seconds(until)
            rows.append([side.data, order, f"{trial.value:.4f}", said, times, settings_text(trial)])
        peer = side.peer
        rows.append(
            [
                "",
                "SASRec",
                f"{peer.value:.4f}",
                seconds(peer.seconds),
                "",
                f"{settings_text(peer)}; epoch {peer.place}",
            ]
        )
    return rows


def caveats(found: Sequence[PeerSide]) -> list[str]:
    """Returns a sentence where the limit of seconds ended trials of the peer."""
    cut = [
        f"{side.unfinished} of {len(side.tried)} of its trials on {side.data}"
        for side in found
        if side.unfinished
    ]
    if not cut:
        return []
    return [
        f"The limit ended {' and '.join(cut)}: with more time the peer may reach more than it shows here."
    ]


def settings_text(trial: OrderTrial) -> str:
    """Writes settings as a cell."""
    return ", ".join(
        f"{name} {value:.3g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in trial.settings.items()
    )


def as_json(found: Sequence[PeerSide], trials: int) -> dict[str, Any]:
    """Returns everything as JSON values."""
    sides = {}
    for side in found:
        figures = {"SASRec": as_figures(side.judged)}
        figures |= {str(order): as_figures(e) for order, e in side.evaluations.items()}
        sides[side.data] = {
            "peer": side.peer.as_json(),
            "tried": [trial.as_json() for trial in side.tried],
            "ours": {order: trial.as_json() for order, trial in side.ours.items()},
            "figures": figures,
            "words": {
                order: [c.word for c in verdict.against["SASRec"]] for order, verdict in side.verdicts.items()
            },
            "seconds_to_peers_best": {order: side.until(order) for order in side.ours},
            "peer_fit_s": side.peer_seconds,
            "fit_s": dict(side.our_seconds),
            "versions": dict(side.versions),
        }
    return {"trials": trials, "sides": json.loads(json.dumps(sides))}
