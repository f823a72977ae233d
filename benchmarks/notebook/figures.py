"""This module holds the notebook benchmark's figures: speedups, quality, and the JSON of it all."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from statistics import mean, median, stdev
from typing import Any

from benchmarks.machine import cpu
from butaca.evaluate.protocol import NOTEBOOK_K
from butaca.workflows.fitting import NOTEBOOK_PRINTED

Answer = dict[str, Any]

#: The loss of the last test batch (3,616 pairs) that TFRS reaches, and the band of top-100.
TFRS_LOSS, LOSS_TOLERANCE, TOP_100 = 29_576, 0.01, (0.170, 0.200)


@dataclass
class NotebookResults:
    """A NotebookResults holds what the children answered, by repeat; `seeds` are butaca's quality rows."""

    load_average_before: float
    tfrs_off: list[Answer] = field(default_factory=list)
    tfrs_on: list[Answer] = field(default_factory=list)
    butaca: list[Answer] = field(default_factory=list)
    limits: list[Answer] = field(default_factory=list)
    seeds: list[Answer] = field(default_factory=list)


@dataclass(frozen=True)
class Speedup:
    """A Speedup holds the seconds of each repeat on both sides, and what their ratio should reach.

    Attributes:
        key: name in the JSON, less "_ratio".
        name: what a reader sees.
        tfrs, butaca: seconds by repeat (each perhaps a median within its process).
        at_least, aim: targets of the ratio, or None where none was set.
    """

    key: str
    name: str
    tfrs: Sequence[float]
    butaca: Sequence[float]
    at_least: float | None = None
    aim: float | None = None

    @property
    def ratio(self) -> float:
        """Returns the median TFRS time over the median butaca time."""
        return median(self.tfrs) / median(self.butaca)

    @property
    def spread(self) -> tuple[float, float]:
        """Returns the least and greatest ratio within one repeat."""
        each = [t / b for t, b in zip(self.tfrs, self.butaca, strict=True)]
        return min(each), max(each)

    @property
    def verdict(self) -> str:
        """Says where the ratio stands."""
        if self.at_least is None or self.aim is None:
            return ""
        if self.ratio < self.at_least:
            return "[red]below[/]"
        return "[green]aim met[/]" if self.ratio >= self.aim else "[green]met[/]"


def speedups(results: NotebookResults) -> list[Speedup]:
    """Returns the speedups, first the five that have targets."""
    off, on, ours = results.tfrs_off, results.tfrs_on, results.butaca
    cold, warm = [b["fit_cold"] for b in ours], [median(b["fit_warm"]) for b in ours]
    evaluate = [median(b["evaluate"]) for b in ours]
    query = [b["query"]["all titles"] for b in ours]
    return [
        Speedup("fit_warm", "fit, ten epochs, warm", [t["fit_warm"] for t in off], warm, 40, 70),
        Speedup("fit_cold", "fit, cold (compilation included)", [t["fit_cold"] for t in off], cold, 15, 25),
        Speedup("fit_notebook", "fit, notebook's way (metrics on)", [steady(t) for t in on], warm, 150, 300),
        Speedup(
            "evaluate",
            "evaluate, 20,000 test pairs",
            [median(t["evaluate"]) for t in off],
            evaluate,
            20,
            40,
        ),
        Speedup("query", "one user, top 10", fastest_query(off), query, 5, 10),
        Speedup(
            "fit_cold_with_imports",
            "fit, cold, imports too",
            [t["imports"] + t["fit_cold"] for t in off],
            [b["imports"] + b["fit_cold"] for b in ours],
        ),
        Speedup("fit_notebook_cold", "fit, notebook's way, cold", [t["fit_cold"] for t in on], cold),
        Speedup(
            "evaluate_cold",
            "evaluate, cold",
            [t["evaluate_cold"] for t in off],
            [b["evaluate_cold"] for b in ours],
        ),
        Speedup(
            "query_eager",
            "one user, TFRS as the notebook calls it",
            [t["query"]["eager"] for t in off],
            query,
        ),
        Speedup(
            "query_seen_left_out",
            "one user, butaca less seen titles",
            fastest_query(off),
            [b["query"]["seen titles left out"] for b in ours],
        ),
    ]


def steady(answer: Answer) -> float:
    """Returns ten epochs at the pace of all but the first, which also traces and fills the cache."""
    epochs = answer["cold_epochs"]
    return float(len(epochs) * mean(epochs[1:]))


def fastest_query(answers: Iterable[Answer]) -> list[float]:
    """Returns the seconds of TFRS's quickest way of calling BruteForce, by repeat."""
    return [min(t["query"].values()) for t in answers]


def best_limits(results: NotebookResults) -> Answer:
    """Returns of each rate the best, of each time the shortest."""
    limits = results.limits
    out = dict(limits[0])
    for name in out:
        if name.endswith("_per_s"):
            out[name] = max(a[name] for a in limits)
        if name.startswith("seconds_"):
            out[name] = min(a[name] for a in limits)
    return out


def accuracies(metrics: Answer) -> dict[Any, float]:
    """Turns the notebook's metric names into {k: accuracy, "loss": loss of the last batch}."""
    by_k: dict[Any, float] = {
        k: metrics[f"factorized_top_k/top_{k}_categorical_accuracy"] for k in NOTEBOOK_K
    }
    return by_k | {"loss": metrics["loss"]}


def quality_rows(results: NotebookResults) -> dict[str, dict[Any, float]]:
    """Returns accuracies by the name of a row: the notebook, each TFRS run, butaca's seeds."""
    rows: dict[str, dict[Any, float]] = {"the notebook, as it printed it": dict(NOTEBOOK_PRINTED)}
    for way, answers in (("metrics off", results.tfrs_off), ("metrics on", results.tfrs_on)):
        for n, answer in enumerate(answers, start=1):
            rows[f"TFRS, {way}, run {n}"] = accuracies(answer["metrics"])
    for row in results.seeds:
        rows[f"butaca, seed {row['seed']}"] = accuracies(row)
    return rows


def quality_verdict(seeds: Sequence[Answer]) -> tuple[bool, str]:
    """Returns whether every seed lands where TFRS does, and the sentence that says so."""
    losses, top = [r["loss"] for r in seeds], [accuracies(r)[100] for r in seeds]
    off = max(abs(loss / TFRS_LOSS - 1) for loss in losses)
    loss_ok, top_ok = off <= LOSS_TOLERANCE, all(TOP_100[0] <= t <= TOP_100[1] for t in top)
    spread = f" (mean {mean(losses):,.0f}, deviation {stdev(losses):.0f})" if len(losses) > 1 else ""
    return loss_ok and top_ok, (
        f"{len(seeds)} seeds: loss {'within' if loss_ok else 'NOT within'} {LOSS_TOLERANCE:.0%} of "
        f"{TFRS_LOSS:,}, furthest {off:.2%}{spread};\n  top-100 {'all' if top_ok else 'NOT all'} in "
        f"[{TOP_100[0]:.3f}, {TOP_100[1]:.3f}], {min(top):.4f} to {max(top):.4f}"
    )


def as_json(results: NotebookResults) -> Answer:
    """Returns everything, for programs: ratios at the top level, seconds, quality, every repeat."""
    rows = speedups(results)
    ok, _ = quality_verdict(results.seeds)
    return {
        "benchmark": "notebook",
        **{f"{row.key}_ratio": round(row.ratio, 2) for row in rows},
        "targets": {f"{r.key}_ratio": {"at_least": r.at_least, "aim": r.aim} for r in rows if r.at_least},
        "targets_met": all(r.ratio >= r.at_least for r in rows if r.at_least is not None),
        "quality_reproduced": ok,
        "seconds": {
            row.key: {
                "tfrs": median(row.tfrs),
                "butaca": median(row.butaca),
                "tfrs_repeats": list(row.tfrs),
                "butaca_repeats": list(row.butaca),
            }
            for row in rows
        },
        "arithmetic": best_limits(results),
        "quality": {name: {str(k): v for k, v in row.items()} for name, row in quality_rows(results).items()},
        "machine": {
            "cpu": cpu(),
            "cores": os.cpu_count(),
            "load_average_before": results.load_average_before,
            "numpy_blas": results.butaca[0]["blas"],
        },
        "versions": {"tfrs": results.tfrs_off[0]["versions"], "butaca": results.butaca[0]["versions"]},
        "repeats": {"tfrs_off": results.tfrs_off, "tfrs_on": results.tfrs_on, "butaca": results.butaca},
    }
