"""This module runs the peers' program in their environment: benchmarks/peers/quality_peers.py."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.child import run_child
from benchmarks.environment import HERE
from benchmarks.machine import THREADS
from butaca import Dataset

#: Runs in the peers' environment.
PEERS_SCRIPT = HERE / "peers" / "quality_peers.py"

#: Peers that another seed fits otherwise; of the rest one fit is all there is.
SEEDED = frozenset({"iALS", "implicit ALS", "implicit BPR", "truncated SVD"})


def fit_peers(
    train: Dataset,
    jobs: Mapping[str, Mapping[str, Any]],
    *,
    python: Path,
    folder: Path,
    seeds: Sequence[int] = (),
    warm: int = 0,
) -> dict[str, Any]:
    """Fits peers, and returns what their program said.

    Args:
        train: what they learn.
        jobs: by peer, its settings.
        python: the interpreter of their environment.
        folder: where pairs are handed over, and scores come back: float32 [U, N], one .npy for each seed.
        seeds: of the fits whose scores are wanted.
        warm: fits that are timed after a first.
    """
    hand_over(folder / "pairs.npz", (train, None))
    (folder / "jobs.json").write_text(json.dumps({peer: dict(own) for peer, own in jobs.items()}), "utf8")
    command = [str(python), "-I", str(PEERS_SCRIPT), "fit", "--data", str(folder / "pairs.npz")]
    command += ["--jobs", str(folder / "jobs.json"), "--out", str(folder), "--threads", str(THREADS)]
    command += ["--warm", str(warm), "--seeds", *map(str, seeds)]
    return run_child(command, ", ".join(jobs))


def hand_over(file: Path, *folds: tuple[Dataset, Dataset | None]) -> None:
    """Writes the pairs that a peer reads: of each fold what it is fitted on, and what it is judged on."""
    first, _ = folds[0]
    arrays: dict[str, Any] = {"shape": np.array([len(first.users), len(first.items)])}
    for i, (train, valid) in enumerate(folds):
        arrays |= {f"user_{i}": train.user, f"item_{i}": train.item}
        if valid is not None:
            arrays |= {f"valid_user_{i}": valid.user, f"valid_item_{i}": valid.item}
    np.savez(file, **arrays)
