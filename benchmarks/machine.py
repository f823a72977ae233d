"""This module says which processor a benchmark runs on, and keeps it on some of the cores."""

from __future__ import annotations

import os
import sys

from butaca.referee.machine import cpu

__all__ = ["THREADS", "cpu", "one_core", "two_cores"]

#: Threads that both sides of a comparison train on.
THREADS = 2


def one_core() -> None:
    """Starts again on one core, where the system knows such a thing.

    Beside other work, a fit on two cores waits for its slower half: 2 s become 13 s. Times of one
    core can be compared within a table.
    """
    if hasattr(os, "sched_setaffinity") and len(os.sched_getaffinity(0)) > 1:
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
        os.execv(sys.executable, sys.orig_argv)  # so that thread pools are made for one


def two_cores() -> None:
    """Keeps this process and its children on two cores, where the system lets one choose."""
    if sys.platform == "linux":
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:THREADS])
