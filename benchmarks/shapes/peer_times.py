"""This module times other libraries' factorisations on a table, in their own environment."""

from __future__ import annotations

import json
from pathlib import Path

from rich.console import Console

from benchmarks.child import run_shown
from benchmarks.environment import PEERS, BenchmarkError
from benchmarks.machine import THREADS
from benchmarks.quality.data import PEERS_SCRIPT, hand_over, peer_settings
from benchmarks.shapes.tables import SplitTable
from butaca.workflows.loading import load, split_by

#: irspack's iALS and implicit's ALS.
TIMED = ("iALS", "implicit ALS")


def peer_seconds(table: SplitTable, folder: Path, progress: Console) -> dict[str, float]:
    """Returns the seconds of a fit of each, with settings tuned on MovieLens 100K; {} where none are had."""
    train, _ = split_by(load(table.source), table.split, test_share=0.2, seed=42)
    hand_over(folder / "pairs.npz", (train, None))
    settings = peer_settings()
    jobs = {name: settings[name]["settings"] for name in TIMED}
    (folder / "jobs.json").write_text(json.dumps(jobs), encoding="utf8")
    try:
        python = PEERS.python(progress)
    except BenchmarkError as error:
        progress.print(f"{table.name}: no seconds of peers. {error}", markup=False)
        return {}
    command = [str(python), "-I", str(PEERS_SCRIPT), "fit", "--data", str(folder / "pairs.npz")]
    command += ["--jobs", str(folder / "jobs.json"), "--out", str(folder), "--seeds", "0", "--warm", "1"]
    answer = run_shown(
        [*command, "--threads", str(THREADS)], f"{table.name}: {', '.join(TIMED)}", progress=progress
    )
    return {name: round(float(said["fit_warm"]), 2) for name, said in answer["peers"].items()}
