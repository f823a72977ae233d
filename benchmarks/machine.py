"""This module says which processor a benchmark runs on, and keeps it on some of the cores."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path

#: Threads that both sides of a comparison train on.
THREADS = 2


def cpu() -> str:
    """Returns the processor's name, where the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


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
