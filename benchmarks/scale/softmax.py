"""This benchmark finds where a sampled softmax beats the full one: `python -m benchmarks.scale.softmax`.

MovieLens 100K grown to some users and to catalogues of several sizes, the interactions nearly the same. The
default recipe trains on each with the full softmax and with draws, from the same spectral start; after each
epoch it is judged by Recall@20 of the same users, what they have seen left out. Seconds are those of the
epochs alone: the start and judging are left out, compiling is in the first.

The last line is JSON: the curves, by size and softmax.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.command import run
from benchmarks.pages import markdown, write_section
from benchmarks.scale.watch import Curve, Judge, K, Watch
from butaca.data.fractal import Growth, grow
from butaca.data.movielens.load import load_movielens
from butaca.recipes import DEFAULT
from butaca.scale.prepare import prepare
from butaca.scale.prepare_settings import Preparing
from butaca.scale.prepared import Prepared

#: (users, items) times the original's.
SIZES, SMALL = ((32, 32), (32, 128)), ((4, 8),)
#: Name, draws (None: full) and epochs.
SOFTMAXES = (("full", None, 3), ("8,192 draws", 8192, 8))


@dataclass(frozen=True)
class Line:
    """A Line is the curve of one catalogue and one softmax."""

    items: int
    interactions: int
    softmax: str
    start: float
    curve: Curve


class Epochs(Watch):
    """An Epochs takes snapshots after epochs alone."""

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Takes no snapshot after a step."""


def one(
    data: Prepared, draws: int | None, *, epochs: int, judge: Judge, progress: Console
) -> tuple[float, Curve]:
    """Returns the recall at the start, and the curve over the epochs from there."""
    train = data.dataset("train")
    recipe = replace(DEFAULT.for_data(train), held_out=0)
    choice: dict[str, Any] = (
        {"softmax": "full"} if draws is None else {"softmax": "sampled", "samples": draws}
    )
    recipe = replace(recipe, model=replace(recipe.model, cold_features=(), **choice))
    model = recipe.build()
    watch = Epochs(judge, model, progress=progress)
    model.fit(
        train, epochs, batch_size=recipe.batch_size, optimizer=recipe.make_optimizer(), callbacks=[watch]
    )
    start, *after = watch.curve.seconds
    return watch.curve.recall[0], Curve([round(s - start, 2) for s in after], watch.curve.recall[1:])


def measure(progress: Console, small: bool) -> list[Line]:
    """Measures all catalogues, smallest first."""
    ml, lines = load_movielens("100k"), []
    for users, items in SMALL if small else SIZES:
        with tempfile.TemporaryDirectory(prefix="butaca-softmax-") as name:
            folder = Path(name)
            grow(ml, folder / "big", growth=Growth(users, items))
            prepare(folder / "big", folder / "p", settings=Preparing(test_share=0.1, split="random"))
            data = Prepared.open(folder / "p")
            judge = Judge.of(data, 1000)
            for title, draws, epochs in SOFTMAXES:
                progress.print(f"{data.n_items:,} items, {title}")
                start, curve = one(data, draws, epochs=epochs, judge=judge, progress=progress)
                lines.append(Line(data.n_items, len(data.train), title, start, curve))
    return lines


def table(lines: Sequence[Line]) -> tuple[Sequence[str], list[Sequence[str]]]:
    """Returns header and rows."""
    rows: list[Sequence[str]] = []
    for line in lines:
        seconds, recall = line.curve.seconds, line.curve.recall
        epoch = (seconds[-1] - seconds[0]) / max(len(seconds) - 1, 1)
        curve = [f"{recall[i]:.4f} ({seconds[i]:.1f})" if i < len(seconds) else "" for i in (0, 1, 2, 3, 7)]
        rows.append((f"{line.items:,}", line.softmax, f"{epoch:.1f}", f"{line.start:.4f}", *curve))
    after = (f"after {n} (s)" for n in (1, 2, 3, 4, 8))
    return ("items", "softmax", "an epoch, s", f"Recall@{K} at the start", *after), rows


def show(console: Console, lines: list[Line]) -> None:
    header, rows = table(lines)
    out = Table(title="Full and sampled softmax")
    for name in header:
        out.add_column(name, justify="left" if name == "softmax" else "right")
    for row in rows:
        out.add_row(*row)
    console.print(out)


def as_json(lines: list[Line]) -> dict[str, Any]:
    return {
        "lines": [
            {
                "items": line.items,
                "interactions": line.interactions,
                "softmax": line.softmax,
                "start": round(line.start, 4),
                "seconds": line.curve.seconds,
                "recall": [round(r, 4) for r in line.curve.recall],
            }
            for line in lines
        ]
    }


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--small", action="store_true", help="one small catalogue")
    parser.add_argument("--markdown", type=Path, help="write the table into this page")
    parser.add_argument("--out", type=Path, help="also write the line of JSON here")
    asked = parser.parse_args()

    def measured(progress: Console) -> list[Line]:
        lines = measure(progress, asked.small)
        if asked.markdown is not None:
            write_section(asked.markdown, "scale-softmax", text=markdown(*table(lines)))
        return lines

    return run(measured, show, as_json=as_json, out=asked.out)


if __name__ == "__main__":
    sys.exit(main())
