"""This module runs the children of the quality benchmarks, butaca's and the peers', and judges them."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.child import run_shown
from benchmarks.environment import PEERS
from benchmarks.machine import THREADS
from benchmarks.quality.data import PEERS_SCRIPT, hand_over, parts
from benchmarks.quality.scores import OverSeeds, judge
from butaca import Dataset


def butaca_scores(data: str, seeds: int, *, folder: Path, progress: Console, only: Any = None) -> OverSeeds:
    """Fits the default recipe with every seed, and judges it."""
    train, test = parts(data)
    command = [sys.executable, "-m", "benchmarks.quality.butaca", "scores", data]
    command += ["--seeds", str(seeds), "--out", str(folder)]
    answer = run_shown(command, f"{data}: butaca", progress=progress)
    return collect(folder, answer["files"], train=train, test=test, only=only)


def peer_scores(
    train: Dataset,
    test: Dataset,
    *,
    chosen: dict[str, Any],
    seeds: int,
    warm: int,
    folder: Path,
    progress: Console,
    name: str,
    only: Any = None,
) -> tuple[dict[str, OverSeeds], dict[str, Any]]:
    """Fits every peer with its settings and judges it; also returns what the child said."""
    hand_over(folder / "pairs.npz", (train, None))
    jobs = {peer: found["settings"] for peer, found in chosen.items()}
    (folder / "jobs.json").write_text(json.dumps(jobs), encoding="utf8")
    command = [
        str(PEERS.python(progress)),
        "-I",
        str(PEERS_SCRIPT),
        "fit",
        "--data",
        str(folder / "pairs.npz"),
    ]
    command += ["--jobs", str(folder / "jobs.json"), "--out", str(folder)]
    command += ["--seeds", str(seeds), "--warm", str(warm), "--threads", str(THREADS)]
    answer = run_shown(command, f"{name}: {', '.join(jobs)}", progress=progress)
    peers = {
        peer: collect(folder, said["files"], train=train, test=test, only=only)
        for peer, said in answer["peers"].items()
    }
    return peers, answer


def collect(folder: Path, files: Sequence[str], *, train: Dataset, test: Dataset, only: Any) -> OverSeeds:
    """Judges score files and takes them away."""
    paths = [folder / file for file in files]
    judged = judge(paths, train, test=test, only=only)
    for path in paths:
        path.unlink()
    return judged
