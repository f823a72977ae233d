"""This module keeps the state of training in one file: parameters, optimizer, position, callbacks.

Written beside the old one and moved over it, so a kill at any moment leaves a whole checkpoint. The
random streams are functions of (seed, epoch, step), so the position is all there is to keep of them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from butaca.errors import CheckpointError
from butaca.files import replace_file

FILE = "training.safetensors"
VERSION = 1


@dataclass(frozen=True)
class Saved:
    """Holds a checkpoint that was read back.

    Attributes:
        arrays: parameters under "towers/", optimizer state under "optimizer/", callbacks' under
            "callback/<i>/".
        epoch, step: the next batch to run.
        callbacks: JSON state of each callback, in order.
        run: description of the run that wrote it (settings and data fingerprint).
    """

    arrays: dict[str, np.ndarray]
    epoch: int
    step: int
    callbacks: list[dict[str, Any]]
    run: dict[str, Any]


def write_checkpoint(folder: Path, saved: Saved) -> None:
    """Writes a checkpoint to `folder`, whole; on any failure the earlier one is untouched."""
    folder.mkdir(parents=True, exist_ok=True)
    arrays = {name: np.asarray(array, order="C") for name, array in saved.arrays.items()}
    meta = {
        "version": VERSION,
        "epoch": saved.epoch,
        "step": saved.step,
        "callbacks": saved.callbacks,
        "run": saved.run,
        "sha256": _digest(arrays),
    }
    try:
        replace_file(folder / FILE, save(arrays, metadata={"butaca": json.dumps(meta)}))
    finally:
        for left in folder.glob(f".{FILE}.*"):  # of a writer that was killed
            left.unlink(missing_ok=True)


def read_checkpoint(folder: Path) -> Saved:
    """Reads and verifies a checkpoint.

    Raises:
        CheckpointError: none is there, or it is damaged or of a newer version.
    """
    path = folder / FILE
    if not path.is_file():
        raise CheckpointError(
            "Training resumes from a folder that holds a checkpoint",
            f"{folder}, without {FILE}",
            "Name the folder given to Checkpoint(...), or fit without resume",
        )
    try:
        with safe_open(path, framework="numpy") as file:
            meta = json.loads((file.metadata() or {})["butaca"])
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
    except (SafetensorError, KeyError, ValueError, OSError) as error:
        raise CheckpointError(
            "A checkpoint is a whole safetensors file", f"{path}: {error}", "Fit again without resume"
        ) from error
    if meta["version"] > VERSION:
        raise CheckpointError(
            f"This butaca reads checkpoints up to version {VERSION}",
            f"version {meta['version']} in {path}",
            "Upgrade butaca",
        )
    if _digest(arrays) != meta["sha256"]:
        raise CheckpointError(
            "A checkpoint matches its checksum", f"{path}, whose contents changed", "Fit again without resume"
        )
    return Saved(arrays, meta["epoch"], meta["step"], meta["callbacks"], meta["run"])


def position(folder: Path) -> tuple[int, int] | None:
    """Returns the next batch's epoch and step by the checkpoint there, or None; its arrays are not read."""
    try:
        with safe_open(folder / FILE, framework="numpy") as file:
            meta = json.loads((file.metadata() or {})["butaca"])
    except (SafetensorError, KeyError, ValueError, OSError):
        return None
    return int(meta["epoch"]), int(meta["step"])


def check_same_run(saved: Saved, run: Mapping[str, Any], *, folder: Path) -> None:
    """Refuses to continue another run.

    Raises:
        CheckpointError: names the settings that differ.
    """
    now = json.loads(json.dumps(run))
    differ = sorted(k for k in now.keys() | saved.run.keys() if now.get(k) != saved.run.get(k))
    if differ:
        shown = "; ".join(f"{k} was {saved.run.get(k)!r}, is {now.get(k)!r}" for k in differ)
        raise CheckpointError(
            "Training resumes with the settings and data it began with",
            f"{shown} (checkpoint in {folder})",
            "Restore them, or fit without resume",
        )


def _digest(arrays: Mapping[str, np.ndarray]) -> str:
    digest = hashlib.sha256()
    for name in sorted(arrays):
        digest.update(f"{name}{arrays[name].dtype}{arrays[name].shape}".encode())
        digest.update(np.ascontiguousarray(arrays[name]).tobytes())
    return digest.hexdigest()
