"""This module writes the columns of prepared data from sorted partitions, and what users said no to."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from butaca.errors import SplitError
from butaca.scale.partition import DTYPES, SIDES, PartTask, count
from butaca.scale.placing import Stripe, place, stripes
from butaca.scale.pool import Runner, StageProgress, counted
from butaca.types import Ints


def write_negatives(parts: Sequence[PartTask], out: Path, *, n_users: int) -> None:
    """Writes what users said no to before the test side begins; in memory, 16 bytes each.

    Args:
        parts: sorted.
        out: the folder of the prepared data.
        n_users: how many there are.
    """
    user, item, time = (
        np.concatenate([part.column(f"negative_{name}") for part in parts])
        for name in ("user", "item", "time")
    )
    order = np.lexsort((item, user))
    cut = parts[0].rule.cut
    if cut is not None:
        order = order[time[order] < cut]
    (out / "negatives").mkdir()
    begin = np.searchsorted(user[order], np.arange(n_users + 1))
    np.save(out / "negatives" / "start.npy", begin.astype(np.int64))
    np.save(out / "negatives" / "item.npy", item[order].astype(np.int32))


def write_columns(
    parts: Sequence[PartTask],
    out: Path,
    *,
    n_users: int,
    runner: Runner,
    progress: StageProgress | None,
) -> tuple[int, int]:
    """Writes the columns of both sides from the sorted partitions; returns the length of each side.

    Args:
        parts: sorted.
        out: the folder of the prepared data.
        n_users: how many there are.
        runner: runs the tasks.
        progress: called after each task.

    Raises:
        SplitError: one side of a split would be empty.
    """
    counts: Ints = np.zeros((2, n_users), dtype=np.int64)
    for found in counted(runner.map(count, parts), "counting", total=len(parts), progress=progress):
        counts[:, found.users] = found.counts
    lengths = counts.sum(axis=1).tolist()
    if not lengths[0] or (not lengths[1] and parts[0].rule.split != "none"):
        raise SplitError(
            "Both sides of a split hold at least one interaction",
            f"{lengths[0]} for training and {lengths[1]} for testing out of {sum(lengths)}",
            "Give more data, or another share",
        )
    names = parts[0].names
    for side, of_users, n in zip(SIDES, counts, lengths, strict=True):
        (out / side).mkdir()
        np.save(out / side / "start.npy", np.append(0, np.cumsum(of_users)))
        for name in ("item", *names):
            np.lib.format.open_memmap(out / side / f"{name}.npy", "w+", DTYPES[name], (n,)) if n else np.save(
                out / side / f"{name}.npy", np.empty(0, DTYPES[name])
            )
    folders = tuple(part.folder.name for part in parts if part.folder is not None)
    placed = [
        Stripe(side, first, last, folders, out / "work", names, parts[0].rule, out)
        for side, n in zip(SIDES, lengths, strict=True)
        for first, last in stripes(n, len(parts))
    ]
    list(counted(runner.map(place, placed), "placing", total=len(placed), progress=progress))
    return lengths[0], lengths[1]
