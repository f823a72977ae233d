"""This module times other libraries' factorisations on a table, in their own environment."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from benchmarks.environment import PEERS, BenchmarkError
from benchmarks.quality.data import peer_settings
from benchmarks.quality.peers import fit_peers
from benchmarks.shapes.tables import SplitTable
from butaca.workflows.loading import load, split_by

#: irspack's iALS and implicit's ALS.
TIMED = ("iALS", "implicit ALS")


def peer_seconds(table: SplitTable, folder: Path, progress: Console) -> dict[str, float]:
    """Returns the seconds of a fit of each, with settings tuned on MovieLens 100K; {} where none are had."""
    train, _ = split_by(load(table.source), table.split, test_share=0.2, seed=42)
    settings = peer_settings()
    jobs = {name: settings[name]["settings"] for name in TIMED}
    try:
        python = PEERS.python(progress)
    except BenchmarkError as error:
        progress.print(f"{table.name}: no seconds of peers. {error}", markup=False)
        return {}
    with progress.status(f"{table.name}: {', '.join(TIMED)} ..."):
        answer = fit_peers(train, jobs, python=python, folder=folder, warm=1)
    return {name: round(float(said["fit_warm"]), 2) for name, said in answer["peers"].items()}
