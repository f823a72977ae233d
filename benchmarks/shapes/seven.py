"""This benchmark tries the default recipe on differently shaped data: `python -m benchmarks.shapes.seven`.

Seven data sets made from MovieLens 100K, small, sparse, short, split in time, and grown to 3,772 users by
6,656 titles; on each the recipe as `recipe("default").for_data(train)` adapts it, beside popularity,
recent popularity, item-kNN and EASE, with paired intervals. `--markdown docs/shapes.md` writes the section.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from benchmarks.command import seeded_parser
from benchmarks.machine import one_core
from benchmarks.pages import finish, markdown, write_section
from benchmarks.quality.figures import MEASURES
from benchmarks.shapes.data import NAMES, Shape, shape
from benchmarks.shapes.fits import (
    SeedRuns,
    against,
    as_figures,
    cells,
    difference_text,
    fit_seed,
    judged,
    over_seeds,
    where,
)
from butaca import Evaluation, Histories, recipe
from butaca.baselines.panel import fit_panel
from butaca.evaluate.verdict import Verdict
from butaca.referee.tables import seconds


@dataclass(frozen=True, eq=False)
class ShapeResults:
    """A ShapeResults holds what one shape says.

    Attributes:
        shape: the data.
        ours: the default recipe.
        others: the baselines.
        verdict: ours against them.
    """

    shape: Shape
    ours: SeedRuns
    others: Mapping[str, Evaluation]
    verdict: Verdict


def main() -> int:
    parser = seeded_parser(__doc__)
    parser.add_argument("shapes", nargs="*", metavar="SHAPE", help=", ".join(NAMES))
    args = parser.parse_args()
    unknown = sorted(set(args.shapes) - set(NAMES))
    if unknown:
        parser.error(f"no such shape: {', '.join(unknown)}")
    one_core()
    found = {name: measure(shape(name), args.seeds) for name in args.shapes or NAMES}
    write_section(args.markdown, "shapes", text=section(found, args.seeds))
    finish({name: as_json(outcome) for name, outcome in found.items()}, args.out)
    return 1 if any(lost(outcome.verdict) for outcome in found.values()) else 0


def measure(data: Shape, seeds: int) -> ShapeResults:
    """Fits and judges the recipe and the baselines."""
    train, test = data.train, data.test
    chosen = recipe("default").for_data(train, future=data.future)
    ours = over_seeds(partial(fit_seed, chosen), train, test=test, seeds=seeds)
    panel = fit_panel(train).scorers
    others = judged(panel, test, seen=Histories.of(train))
    outcome = ShapeResults(data, ours, others, against(ours.evaluation, others))
    print(data.text, data.sizes, *cells(ours.evaluation), seconds(ours.warm), file=sys.stderr)
    for name, row in outcome.verdict.against.items():
        print(f"  {name:18}", *cells(others[name]), *map(difference_text, row), file=sys.stderr, flush=True)
    return outcome


def lost(verdict: Verdict) -> bool:
    """Says whether any measure loses to popularity."""
    return any(c.word == "loses" for c in verdict.against["popularity"])


def as_json(outcome: ShapeResults) -> dict[str, object]:
    """Returns the figures of everyone, and words."""
    return {
        "default": as_figures(outcome.ours.evaluation),
        **{name: as_figures(e) for name, e in outcome.others.items()},
        "words": {name: [c.word for c in row] for name, row in outcome.verdict.against.items()},
        "fit_s": round(outcome.ours.warm, 3),
    }


def section(found: Mapping[str, ShapeResults], seeds: int) -> str:
    """Returns what the page says of them."""
    labels = [label for _, _, label in MEASURES]
    losing = [o.shape.text for o in found.values() if lost(o.verdict)]
    verdict = (
        f"On {', '.join(losing)} it loses to popularity at something."
        if losing
        else "It loses to popularity on none of them, at none of the four measures."
    )
    summary = [
        [o.shape.text, o.shape.sizes, seconds(o.ours.warm), *(o.verdict.word(n) for n in HEADS)]
        for o in found.values()
    ]
    rows = []
    for o in found.values():
        rows.append([f"**{o.shape.text}**", "default", *cells(o.ours.evaluation)])
        rows += [["", name, *cells(e)] for name, e in o.others.items()]
    words = [
        [o.shape.text, *(difference_text(c) for c in o.verdict.against["popularity"])] for o in found.values()
    ]
    return "\n\n".join(
        [
            f"{INTRO}Means of {seeds} seeds. {verdict}",
            markdown(["data", "users × titles, ratings", "fit", *(f"against {n}" for n in HEADS)], summary),
            "The model less popularity, paired by user, with 95 % intervals from 2,000 resamples:",
            markdown(["data", *labels], words),
            "All figures, with 95 % t intervals over seeds:",
            markdown(["data", "", *labels], rows),
            where(),
        ]
    )


HEADS = ("popularity", "recent popularity", "item-kNN", "EASE")

INTRO = """Each data set is split four to one (at random, seed 42, unless it says otherwise), the recipe
adapts itself to the training side, and seen titles are left out. Against a baseline, the word is for all four
measures: *beats* if some intervals exclude zero and all of those are for the model, *ties* if none does,
*mixed* if some go each way.
"""


if __name__ == "__main__":
    sys.exit(main())
