"""This module says where something was measured: processor, memory, versions, what a process took."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Sequence
from importlib.metadata import packages_distributions, version
from pathlib import Path
from typing import Any

from butaca.cores import cores

#: Modules that are always named beside butaca: what its own models run on.
OWN = ("jax", "numpy", "scipy")


def cpu() -> str:
    """Returns the processor's name, where the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def machine() -> dict[str, Any]:
    """Returns what a time or a memory holds for."""
    return {
        "cpu": cpu(),
        "cores": cores(),
        "memory_gib": memory_gib(),
        "system": platform.system(),
        "python": platform.python_version(),
    }


def memory_gib() -> float | None:
    """Returns the machine's memory in GiB, where the system tells."""
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (AttributeError, OSError, ValueError):
        return None


def versions(modules: Sequence[str]) -> dict[str, str]:
    """Returns the versions of butaca and of what gives these modules, by the names of the packages.

    >>> list(versions(["numpy", "no_such_module"]))
    ['butaca', 'numpy']
    """
    of = packages_distributions()
    packages = dict.fromkeys(name for module in modules for name in of.get(module, ()))
    return {name: version(name) for name in ("butaca", *packages)}


def peak_mib() -> float | None:
    """Returns the most memory in MiB that this process has held so far; None where the system does not tell.

    Linux keeps it for the program that runs now; what getrusage says may be of the one that started it.
    """
    try:
        lines = Path("/proc/self/status").read_text(encoding="utf8").splitlines()
        return round(next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024, 1)
    except (OSError, StopIteration):
        pass
    try:
        import resource
    except ImportError:  # Windows
        return None
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(most / (2**20 if sys.platform == "darwin" else 1024), 1)
