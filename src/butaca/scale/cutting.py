"""This module finds the moment at which a split by time cuts partitions that no memory holds at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from butaca.errors import SplitError
from butaca.scale.partition import BUCKETS, PartTask, moments
from butaca.scale.pool import Runner
from butaca.types import Ints


def cut_of(parts: Sequence[PartTask], histogram: Ints, *, test: float, runner: Runner) -> int:
    """Returns the moment of `temporal_split`: as near to the share after it as whole moments allow.

    The buckets tell between which moments it lies, and only these are counted one by one.

    Args:
        parts: sorted.
        histogram: interactions of each bucket of the time.
        test: the share after it.
        runner: runs the tasks.

    Raises:
        SplitError: all interactions are of one moment.
    """
    before = np.append(0, np.cumsum(histogram))
    goal = (1 - test) * before[-1]
    inside = int(np.searchsorted(before[1:], goal, side="right"))
    later = np.flatnonzero(histogram[inside + 1 :]) + inside + 1
    best: tuple[float, int] | None = None
    for bucket in [min(inside, BUCKETS - 1), *later[:1].tolist()]:
        found = list(runner.map(moments, [replace(part, bucket=bucket) for part in parts]))
        times, which = np.unique(np.concatenate([t for t, _ in found]), return_inverse=True)
        counts = np.bincount(which, np.concatenate([n for _, n in found]), minlength=len(times))
        earlier = before[bucket] + np.append(0, np.cumsum(counts)[:-1])
        for time, n in zip(times.tolist(), earlier.tolist(), strict=True):
            if n and (best is None or abs(n - goal) < best[0]):
                best = (abs(n - goal), time)
    if best is None:
        raise SplitError(
            "A split by time needs at least two different times",
            "interactions that are all of one moment",
            "Pass split='random' (on the command line: --split random)",
        )
    return best[1]
