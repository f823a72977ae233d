"""This benchmark judges the choice itself: `python -m benchmarks.shapes.regret [SET ...]`.

On each data set the configuration that validation chose, every member of the portfolio by itself (with
the closed form, the mixture and the epochs that validation gives it), and the recipe unsearched, are fitted
on the training side and judged on the test side. The regret of a choice is how far it stays behind the best
of them in hindsight, in the geometric mean of the verdict's four measures, in parts of it.
The test pairs choose nothing: what is best there is known only afterwards.

`--markdown docs/tuning.md` writes the section, `--picture docs/regret.png` the picture. The last line is
JSON: `mean`, `worst`, `worst_at`.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.command import run, seeded_parser
from benchmarks.machine import two_cores
from benchmarks.pages import markdown, write_section
from benchmarks.shapes.data import NAMES, shape
from benchmarks.shapes.regret_picture import draw
from benchmarks.shapes.tables import tables
from butaca import Dataset, Histories, evaluate_scorer, recipe
from butaca.choose.choice import choose
from butaca.choose.closed_forms import best_closed
from butaca.choose.search import Search
from butaca.choose.slices import ValidationSlice
from butaca.data.histories import leaving_lists
from butaca.data.splits import COMES_NEXT
from butaca.evaluate.verdict import MEASURES
from butaca.recipes import Recipe
from butaca.workflows.loading import load, split_by

#: Of the seven shapes those that a choice searches and that no table has already.
SHAPES = tuple(name for name in NAMES if name in {"users", "sparse", "popular", "liked"})

#: Of the test side, as everywhere.
SHARE, SEED = 0.2, 42


@dataclass(frozen=True)
class Regret:
    """A Regret is what one data set says of the choice.

    Attributes:
        name: of the data set.
        chosen: the name of the member that was chosen.
        value: of the choice on the test side.
        others: of the other configurations, by name.
        seconds: of the choice alone.
    """

    name: str
    chosen: str
    value: float
    others: Mapping[str, float]
    seconds: float

    @property
    def best(self) -> float:
        """Returns the best value in hindsight."""
        return max(self.value, *self.others.values())

    @property
    def regret(self) -> float:
        """Returns how far the choice stays behind the best, in parts of it.

        >>> Regret("a set", "even", 0.19, {"even": 0.19, "soft": 0.2}, 1.0).regret
        0.05
        """
        return round(1.0 - self.value / self.best, 5)


def main() -> int:
    parser = seeded_parser(__doc__)
    parser.add_argument("sets", nargs="*", metavar="SET", help="those to judge; default: all")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder of the tables")
    parser.add_argument("--picture", type=Path, help="draw it here")
    args = parser.parse_args()
    there = {table.name: table for table in tables(args.data)}
    unknown = sorted(set(args.sets) - {*there, *SHAPES})
    if unknown:
        parser.error(f"no such set: {', '.join(unknown)}; there are {', '.join([*there, *SHAPES])}")
    two_cores()

    def measure(progress: Console) -> list[Regret]:
        found = []
        for name in args.sets or [*there, *SHAPES]:
            if name in there:
                table = there[name]
                train, test = split_by(load(table.source), table.split, test_share=SHARE, seed=SEED)
                assert test is not None
                found.append(regret_of(name, train, test=test, split=table.split))
            else:
                data = shape(name)
                found.append(regret_of(data.text, data.train, test=data.test, split="random"))
            progress.print(as_text(found[-1]), markup=False, soft_wrap=True)
        return found

    def show(console: Console, found: list[Regret]) -> None:
        text = page(found)
        write_section(args.markdown, "regret", text=text)
        if args.picture is not None:
            draw({f"{one.name} ({one.chosen})": (one.value, one.others) for one in found}, args.picture)
        console.print(text, markup=False, soft_wrap=True)

    return run(measure, show, as_json=summary, out=args.out)


def regret_of(name: str, train: Dataset, *, test: Dataset, split: str) -> Regret:
    """Chooses, fits the choice and what else there was, and judges all on the test side."""
    base, future = recipe("default"), split in COMES_NEXT
    begin = time.perf_counter()
    closed = best_closed(ValidationSlice.of(train, split, seed=base.model.seed))
    search = Search(split, seed=base.model.seed)
    choice = choose(base, train, search=search, closed=closed)
    seconds = time.perf_counter() - begin
    value = value_of(choice.recipe, train, test=test)
    others = {}
    for member in search.field(train):
        alone = choose(base, train, search=replace(search, only=(member,)), closed=closed).recipe
        same = alone == choice.recipe
        others[member.name] = value if same else value_of(alone, train, test=test)
    others["unsearched"] = value_of(base.for_data(train, future=future, asks=split), train, test=test)
    return Regret(name, choice.name, value, others, seconds)


def value_of(chosen: Recipe, train: Dataset, *, test: Dataset) -> float:
    """Fits a recipe, and returns the geometric mean of the four measures on the test side."""
    model, _ = chosen.fit(train)
    seen = leaving_lists(Histories.of(train), again=train.again)
    found = evaluate_scorer(model, test.recoded(model.users, model.items), seen=seen)
    values = [found.metric(metric, k) for metric, k, _ in MEASURES]
    return math.exp(sum(map(math.log, values)) / len(values)) if min(values) > 0 else 0.0


def summary(found: Sequence[Regret]) -> dict[str, Any]:
    """Returns the JSON of the last line."""
    worst = max(found, key=lambda one: one.regret)
    return {
        "mean": round(sum(one.regret for one in found) / len(found), 5),
        "worst": worst.regret,
        "worst_at": worst.name,
        "sets": {
            one.name: {
                "chosen": one.chosen,
                "value": round(one.value, 5),
                "others": {name: round(value, 5) for name, value in one.others.items()},
                "regret": one.regret,
                "choosing_s": round(one.seconds, 1),
            }
            for one in found
        },
    }


def page(found: Sequence[Regret]) -> str:
    """Returns the table, and the regret in a sentence."""
    names = list(dict.fromkeys(name for one in found for name in one.others))
    rows = [
        [
            one.name,
            f"{one.chosen}, {one.value:.4f}",
            *(f"{one.others[name]:.4f}" if name in one.others else "–" for name in names),
            f"{one.regret:.1%}",
        ]
        for one in found
    ]
    told = summary(found)
    return "\n\n".join(
        [
            "One seed; the geometric mean of the four measures on the test side. "
            f"Mean regret {told['mean']:.1%}, the worst {told['worst']:.1%} ({told['worst_at']}).",
            markdown(["data", "chosen", *names, "regret"], rows),
        ]
    )


def as_text(one: Regret) -> str:
    """Says in a line what a data set gave."""
    others = ", ".join(f"{name} {value:.4f}" for name, value in one.others.items())
    return (
        f"{one.name}: {one.chosen!r} {one.value:.4f}, {others}; regret {one.regret:.2%}, {one.seconds:.0f} s"
    )


if __name__ == "__main__":
    sys.exit(main())
