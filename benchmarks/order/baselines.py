"""This benchmark judges the baselines at what comes next: `python -m benchmarks.order.baselines`.

On MovieLens 100K, and on MovieTweetings and Online Retail where `--data` holds them, split by time and by
each user's last: the panel that a verdict has there (`baselines/panel.py:fit_panel`), every setting at its
default, seen items left out. `--markdown docs/decisions/019-order.md` writes the table.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.pages import finish, markdown, write_section
from benchmarks.quality.data import movielens
from butaca import Dataset, Histories, RecentPopularity, read_table
from butaca.baselines.panel import fit_panel
from butaca.data.splits import tied_at_the_cut
from butaca.evaluate.protocol import evaluate_scorer
from butaca.workflows.loading import Split, split_by

MEASURES = (("ndcg", "NDCG@10"), ("hit_rate", "HR@10"))
SPLITS: tuple[Split, ...] = ("last", "temporal")
TEST, SEED, DAY = 0.2, 42, 86_400


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder of the other two")
    parser.add_argument("--out", type=Path, help="write JSON here")
    parser.add_argument("--markdown", type=Path, help="write the section into this page")
    args = parser.parse_args()
    found = [
        judged(name, data, split=split) for name, data in data_sets(args.data).items() for split in SPLITS
    ]
    text = table(found)
    write_section(args.markdown, "baselines", text=text)
    print(text)
    finish({"sides": [side.as_json() for side in found]}, args.out)
    return 0


def data_sets(folder: Path) -> dict[str, Dataset]:
    """Returns the data sets by name: MovieLens, and those that the folder holds."""
    made: dict[str, Callable[[Path], Dataset]] = {
        "movietweetings-ratings.parquet": read_table,
        "online-retail-lines.parquet": retail,
    }
    names = {
        "movietweetings-ratings.parquet": "MovieTweetings",
        "online-retail-lines.parquet": "Online Retail",
    }
    others = {names[file]: read(folder / file) for file, read in made.items() if (folder / file).exists()}
    return {"MovieLens 100K": movielens()} | others


def retail(path: Path) -> Dataset:
    """Reads the lines of invoices: who had which article, and when last."""
    return read_table(
        path, user_column="CustomerID", item_column="StockCode", value_column="", time_column="InvoiceDate"
    )


@dataclass(frozen=True)
class PanelSide:
    """A PanelSide is one data set, split one way, and what the baselines find of it.

    Attributes:
        data, split: names.
        users, pairs: of the test side.
        tied: users who were cut within a moment.
        half_life: of recent popularity, as chosen, in days; None where it is the usual share of the time.
        figures: by baseline, by measure.
        left_out: baselines that the data do not allow, and why.
    """

    data: str
    split: Split
    users: int
    pairs: int
    tied: int
    half_life: float | None
    figures: Mapping[str, Mapping[str, float]]
    left_out: Mapping[str, str]

    def as_json(self) -> dict[str, Any]:
        """Returns the side as JSON values."""
        rounded = {name: {m: round(v, 5) for m, v in row.items()} for name, row in self.figures.items()}
        return {**vars(self), "figures": rounded}


def judged(name: str, data: Dataset, *, split: Split) -> PanelSide:
    """Judges the panel on one split."""
    train, test = split_by(data, split, test_share=TEST, seed=SEED)
    assert test is not None
    panel, seen = fit_panel(train, split), Histories.of(train)
    figures = {}
    for scorer_name, scorer in panel.scorers.items():
        row = evaluate_scorer(scorer, test, seen=seen)
        figures[scorer_name] = {label: row.metric(metric, 10) for metric, label in MEASURES}
    recent = panel.scorers["recent popularity"]
    assert isinstance(recent, RecentPopularity)
    half_life = None if recent.half_life is None else recent.half_life / DAY
    tied, users = tied_at_the_cut(train, test) if split == "last" else 0, len(np.unique(test.user))
    return PanelSide(name, split, users, len(test), tied, half_life, figures, panel.left_out)


def table(sides: list[PanelSide]) -> str:
    """Returns the figures as tables in Markdown, one for each measure."""
    names = list(dict.fromkeys(name for side in sides for name in side.figures))
    out = ""
    for _, label in MEASURES:
        rows = []
        for side in sides:
            values = {name: row[label] for name, row in side.figures.items()}
            best = max(values.values())
            cells = [_cell(values.get(name), best) for name in names]
            rows.append([f"{side.data}, {side.split}", *cells])
        out += markdown([label, *names], rows) + "\n"
    rows = [
        [
            f"{side.data}, {side.split}",
            f"{side.pairs:,}",
            f"{side.users:,}",
            f"{side.tied:,}" if side.split == "last" else "",
            "usual" if side.half_life is None else f"{side.half_life:.1f} days",
        ]
        for side in sides
    ]
    return out + markdown(["", "test pairs", "users", "with equal times at the cut", "half-life"], rows)


def _cell(value: float | None, best: float) -> str:
    if value is None:
        return "–"
    text = f"{value:.4f}".removeprefix("0")
    return f"**{text}**" if value == best else text


if __name__ == "__main__":
    raise SystemExit(main())
