"""This benchmark judges what `butaca fit` gives on real tables: `python -m benchmarks.shapes`.

MovieLens 100K, MovieTweetings and Online Retail where `--data` holds them, split at random, in time and by
each user's last, and MovieTweetings grown to a million interactions: nothing is said to `fit` but the split.
Beside every baseline of the panel, at the verdict's four measures, each with its own paired 95 % interval;
seconds beside implicit's ALS and irspack's iALS. The last line is JSON: `losses`, how many of data x
baseline x measure the model loses; `worst`, the largest of them, and where; figures by name.

`--only NAME` takes one table (repeat for several), `--quick` one seed, and neither the grown table nor peers.
The seven shapes made of MovieLens 100K: `python -m benchmarks.shapes.seven`.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.command import run, seeded_parser
from benchmarks.machine import two_cores
from benchmarks.pages import markdown, write_section
from benchmarks.shapes.peer_times import peer_seconds
from benchmarks.shapes.tables import SplitTable, TableRun, fit_table, grow, tables
from butaca.evaluate.paired import PairedDifference, differences, means
from butaca.evaluate.verdict import MEASURES
from butaca.referee.tables import LABELS, figures
from butaca.workflows.choosing import Effort

#: Splits and fits: of the first everything may have been tuned.
SEEDS = (42, 1, 2, 3, 4)


@dataclass(frozen=True, eq=False)
class Outcome:
    """An Outcome holds what one table says.

    Attributes:
        table: the data and the split.
        runs: a fit for each seed.
        differences: from every baseline at every measure.
        peers: seconds of other libraries' fits, by name.
    """

    table: SplitTable
    runs: Sequence[TableRun]
    differences: Sequence[PairedDifference]
    peers: Mapping[str, float]

    def as_json(self) -> dict[str, Any]:
        """Returns figures, differences and seconds."""
        judged = [r.judged for r in self.runs]
        return {
            "chosen": means([j.served for j in judged]),
            "baselines": {name: means([j.rows[name] for j in judged]) for name in judged[0].baselines},
            "differences": [_as_json(d) for d in self.differences],
            "verdicts": [j.verdict.sentence for j in judged],
            "notices": [len(j.warnings) for j in judged],
            "fit_s": round(min(r.seconds for r in self.runs), 2),
            "judge_s": round(min(r.judging for r in self.runs), 2),
            "peers_s": dict(self.peers),
        }


def main() -> int:
    parser = seeded_parser(__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder of the tables")
    parser.add_argument("--only", action="append", metavar="NAME", help="this table; repeat for several")
    parser.add_argument("--quick", action="store_true", help="one seed, without the grown table and peers")
    args = parser.parse_args()
    two_cores()

    def measure(progress: Console) -> tuple[list[Outcome], float | None]:
        with tempfile.TemporaryDirectory() as folder:
            return measure_all(args, Path(folder), progress)

    def show(console: Console, found: tuple[list[Outcome], float | None]) -> None:
        text = page(found[0])
        write_section(args.markdown, "tables", text=text)
        console.print(text, markup=False, soft_wrap=True)

    return run(measure, show, as_json=lambda found: summary(*found), out=args.out)


def measure_all(args: Any, folder: Path, progress: Console) -> tuple[list[Outcome], float | None]:
    """Fits every table asked for; also returns how much longer a normal fit takes than a quick one."""
    wanted = set(args.only or ())
    grown = None
    if not args.quick and (not wanted or "grown" in wanted):
        grown = grow(args.data, folder / "grown")
    found = tables(args.data, grown)
    unknown = sorted(wanted - {t.name for t in found})
    if unknown:
        sys.exit(f"no such table: {', '.join(unknown)}; there are {', '.join(t.name for t in found)}")
    chosen = [t for t in found if not wanted or t.name in wanted]
    seeds = SEEDS[:1] if args.quick else SEEDS[: args.seeds]
    outcomes = []
    for table in chosen:
        runs = []
        for seed in seeds:
            runs.append(fit_table(table, seed))
            progress.print(f"{table.name}, seed {seed}: {told(runs[-1])}", markup=False, soft_wrap=True)
        peers = {} if args.quick or table.split != "random" else peer_seconds(table, folder, progress)
        outcomes.append(Outcome(table, runs, less_baselines(runs), peers))
    return outcomes, effort_ratio(chosen)


def less_baselines(runs: Sequence[TableRun]) -> list[PairedDifference]:
    """Returns the model less every baseline, as the referee takes such differences."""
    return differences([{MODEL: run.judged.served, **run.judged.baselines} for run in runs], MODEL)


def _as_json(d: PairedDifference) -> dict[str, Any]:
    """Returns a difference by the names that the last line has had from the first."""
    ends = {"value": d.value, "low": d.low, "high": d.high}
    return {"baseline": d.other, "label": d.label, **ends, "loses": d.loses}


def effort_ratio(chosen: Sequence[SplitTable]) -> float | None:
    """Returns how much longer a normal fit of the first table takes than a quick one; None without tables."""
    if not chosen:
        return None
    efforts: tuple[Effort, ...] = ("quick", "normal")
    took = {effort: fit_table(chosen[0], SEEDS[0], effort=effort).seconds for effort in efforts}
    return round(took["normal"] / took["quick"], 2)


def told(fit: TableRun) -> str:
    """Says in a line what a fit gave."""
    served = fit.judged.served
    reached = " / ".join(f"{served.metric(metric, k):.4f}" for metric, k, _ in MEASURES)
    return (
        f"{reached}; fit {fit.seconds:.0f} s, judged in {fit.judging:.0f} s, "
        f"{len(fit.judged.warnings)} notices. {fit.judged.verdict.sentence}"
    )


def summary(outcomes: Sequence[Outcome], ratio: float | None) -> dict[str, Any]:
    """Returns the JSON of the last line."""
    lost = [(o.table.name, d) for o in outcomes for d in o.differences if d.loses]
    worst = min(lost, key=lambda at: at[1].value, default=None)
    by_table = {o.table.name: o.as_json() for o in outcomes}

    def of(name: str, label: str) -> float | None:
        return by_table[name]["chosen"][label] if name in by_table else None

    return {
        "losses": len(lost),
        "comparisons": sum(len(o.differences) for o in outcomes),
        "worst": 0.0 if worst is None else round(-worst[1].value, 5),
        "worst_at": None if worst is None else [worst[0], worst[1].other, worst[1].label],
        "random_top_10": of("ml-100k", "top-10"),
        "random_top_100": of("ml-100k", "top-100"),
        "random_ndcg_10": of("ml-100k", "NDCG@10"),
        "tweets_ndcg_20": of("tweets", "NDCG@20"),
        "retail_ndcg_20": of("retail", "NDCG@20"),
        "effort_ratio": ratio,
        "most_notices": max((max(f["notices"]) for f in by_table.values()), default=0),
        "tables": by_table,
    }


def page(outcomes: Sequence[Outcome]) -> str:
    """Returns the tables: figures, the losses, and seconds."""
    rows, seconds = [], []
    for o in outcomes:
        found = o.as_json()
        rows.append([f"**{o.table.name}**", "chosen", *figures(found["chosen"])])
        for name, means_of in found["baselines"].items():
            lost = {d.label for d in o.differences if d.other == name and d.loses}
            cells = zip(LABELS, figures(means_of), strict=True)
            rows.append(["", name, *(cell + " **loses**" * (label in lost) for label, cell in cells)])
        others = [f"{value:.1f} s" if (value := o.peers.get(peer)) is not None else "–" for peer in PEERS]
        seconds.append([o.table.name, f"{found['fit_s']:.1f} s", f"{found['judge_s']:.1f} s", *others])
    losses = [
        f"- {o.table.name}, {d.label} against {d.other}: {d.value:+.4f} ({d.low:+.4f} to {d.high:+.4f})"
        for o in outcomes
        for d in o.differences
        if d.loses
    ]
    return "\n\n".join(
        [
            markdown(["data", "", *LABELS], rows),
            "What it loses, each interval by itself:\n\n" + "\n".join(losses)
            if losses
            else "It loses nowhere.",
            markdown(["data", "fit", "judging", *PEERS], seconds),
        ]
    )


PEERS = ("iALS", "implicit ALS")

#: What the model is called among the baselines where differences are taken.
MODEL = "chosen"


if __name__ == "__main__":
    sys.exit(main())
