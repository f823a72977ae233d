"""This benchmark takes one machine and 25 million interactions: grown, prepared, and trained from the disk.

    make bench-scale            25 million, and 100 million prepared; SMALL=1: a tenth, and not these

Prints tables and, last, one line of JSON with `grow_s`, `grow_gb`, `prepare_s`, `prepare_gb`,
`prepare_1gb_s`, `prepare_1gb_gb` (with --memory 1GB), `prepare_100m_s`, `prepare_100m_gb` (with --memory
6GB), `blocks_per_s`, the interactions that a pass over the prepared training side in blocks of users reads in
a second, from the page cache, what scale_training.py and scale_index.py print, and `growth`, the exponents
and points of scale_growth.py. Data go to a temporary folder and are removed. `--markdown docs` writes the
tables into the pages there.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.command import run
from benchmarks.machine import cpu
from benchmarks.pages import markdown, write_section
from benchmarks.scale import growth as scale_growth
from benchmarks.scale import index as scale_index
from benchmarks.scale import training as scale_training
from benchmarks.scale.data import CommandCost, command, counts, facts, gini, original, plot
from benchmarks.scale.training import JUDGED
from butaca.data.movielens.load import load_movielens
from butaca.scale.prepared import Prepared

PLOT = Path(__file__).parents[2] / "docs" / "scale-curves.png"
FULL, SMALL, HUGE = (160, 32), (16, 32), (640, 32)


@dataclass(frozen=True)
class ScaleResults:
    """A ScaleResults holds what was measured, by command, and of what."""

    sizes: dict[str, int]
    grow: CommandCost
    prepare: CommandCost
    less: CommandCost
    blocks_per_s: float
    ginis: dict[str, tuple[float, float]]
    training: scale_training.TrainingResults
    index: scale_index.IndexResults
    growth: list[scale_growth.Point]
    huge: CommandCost | None


def measure(
    progress: Console, times: tuple[int, int], *, picture: Path | None, folder: str | None
) -> ScaleResults:
    with tempfile.TemporaryDirectory(dir=folder, prefix="butaca-scale-") as temporary:
        big, out = Path(temporary) / "big", Path(temporary) / "prepared"
        users, items = map(str, times)
        progress.print("growing")
        grown = command(
            "data", "grow", "ml-100k", "--user-copies", users, "--item-copies", items, "--out", str(big)
        )
        sizes = facts(big)
        by_item, by_user = original(load_movielens("100k"))
        curves = {
            "Popularity of items": (by_item, counts(big, "movie_id", n=sizes["items"])),
            "Length of histories": (by_user, counts(big, "user_id", n=sizes["users"])),
        }
        if picture is not None:
            plot(curves, picture)
        asked = ("data", "prepare", str(big), "--out", str(out), "--split", "temporal", "--workers", "2")
        progress.print("preparing with 1 GB")
        less = command(*asked, "--memory", "1GB")
        progress.print("preparing with 3 GB")
        prepared = command(*asked, "--memory", "3GB")
        began = time.perf_counter()
        read = sum(len(block.items) for _, block in Prepared.open(out).train.blocks())
        rate = read / (time.perf_counter() - began)
        progress.print("training")
        command("data", "prepare", str(big), "--out", str(out), "--split", "random")
        training = scale_training.measure(out, 3000, with_fit=True, progress=progress)
        progress.print("a million items")
        index = scale_index.in_a_child(picture is None)
        progress.print("how cost grows")
        growth = scale_growth.measure(progress, picture is None)
        huge = None
        if picture is not None:
            scale_training.plot(training, scale_training.PLOT)
            scale_growth.plot(growth, scale_growth.PLOT)
            progress.print("100 million")
            users, items = map(str, HUGE)
            command(
                "data", "grow", "ml-100k", "--user-copies", users, "--item-copies", items, "--out", str(big)
            )
            huge = command(*asked, "--memory", "6GB")
    ginis = {name: (gini(before), gini(after)) for name, (before, after) in curves.items()}
    return ScaleResults(sizes, grown, prepared, less, rate, ginis, training, index, growth, huge)


def rows(found: ScaleResults) -> tuple[Sequence[str], list[Sequence[str]]]:
    """Returns header and rows: what was run, and what it took."""
    title = "{interactions:,} interactions, {users:,} users, {items:,} items".format(**found.sizes)
    commands = (
        ("grow", found.grow),
        ("prepare, --memory 3GB", found.prepare),
        ("prepare, --memory 1GB", found.less),
        ("100 million: prepare, --memory 6GB", found.huge),
        ("fit, one epoch, judging and the folder included", found.training.fit),
    )
    t = found.training
    parts = (
        ("the spectral start", t.spectral),
        (f"a step of {t.queries:,} users", t.step),
        (f"judging {JUDGED:,} users, lists of 100 included", t.judging),
    )
    out = [(name, f"{m.seconds:.1f}", f"{m.gb:.2f}") for name, m in commands if m is not None]
    return (title, "seconds", "GB"), [*out, *((name, f"{took:.2f}", "") for name, took in parts)]


def pages(found: ScaleResults, docs: Path) -> None:
    """Writes the tables into the pages in this folder."""
    machine = f"{os.cpu_count()} cores of {cpu()}, load average {os.getloadavg()[0]:.1f} at the end."
    t = found.training
    rate = (
        f"A step's useful products: {t.rate / 1e9:.0f} GFLOP/s, **{100 * t.rate / t.peak:.0f} %** of the "
        f"{t.peak / 1e9:.0f} that the machine reached in the same run. A pass over the prepared training "
        f"side in blocks of users copies {found.blocks_per_s / 1e6:.0f} million interactions a second."
    )
    scale = docs / "scale.md"
    write_section(scale, "scale-commands", text=f"{machine}\n\n{markdown(*rows(found))}\n\n{rate}")
    write_section(scale, "scale-training", text=markdown(*scale_training.table(t)))
    write_section(scale, "scale-growth", text=markdown(*scale_growth.table(found.growth)))
    write_section(docs / "large-catalogues.md", "index", text=scale_index.section(found.index))


def show(console: Console, found: ScaleResults) -> None:
    header, lines = rows(found)
    table = Table(title=header[0])
    for column in ("", *header[1:]):
        table.add_column(column, justify="left" if not column else "right")
    for line in lines:
        table.add_row(*line)
    console.print(table)
    console.print(f"Blocks of users: {found.blocks_per_s:,.0f} interactions/s")
    for name, (before, after) in found.ginis.items():
        console.print(f"{name}: Gini {before:.3f}, grown {after:.3f}")
    scale_training.show(console, found.training)
    scale_index.show(console, found.index)
    scale_growth.show(console, found.growth)


def as_json(found: ScaleResults) -> dict[str, Any]:
    return {
        **found.sizes,
        "grow_s": round(found.grow.seconds, 2),
        "grow_gb": round(found.grow.gb, 3),
        "prepare_s": round(found.prepare.seconds, 2),
        "prepare_gb": round(found.prepare.gb, 3),
        "prepare_1gb_s": round(found.less.seconds, 2),
        "prepare_1gb_gb": round(found.less.gb, 3),
        "blocks_per_s": round(found.blocks_per_s),
        "gini": {name: [round(g, 4) for g in pair] for name, pair in found.ginis.items()},
        "prepare_100m_s": None if found.huge is None else round(found.huge.seconds, 1),
        "prepare_100m_gb": None if found.huge is None else round(found.huge.gb, 2),
        **scale_training.as_json(found.training),
        **scale_index.as_json(found.index),
        "growth": scale_growth.as_json(found.growth),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="a tenth of the size, and no plot")
    parser.add_argument("--folder", help="where the temporary folder goes (default: the system's)")
    parser.add_argument("--markdown", type=Path, help="write the tables into the pages in this folder")
    parser.add_argument("--out", type=Path, help="also write the line of JSON here")
    asked = parser.parse_args()
    times, picture = (SMALL, None) if asked.small else (FULL, PLOT)

    def measured(progress: Console) -> ScaleResults:
        found = measure(progress, times, picture=picture, folder=asked.folder)
        if asked.markdown is not None:
            pages(found, asked.markdown)
        return found

    return run(measured, show, as_json=as_json, out=asked.out)


if __name__ == "__main__":
    sys.exit(main())
