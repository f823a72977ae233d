"""This module runs children: each measurement is a process of its own and prints one line of JSON."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console

from benchmarks.environment import BenchmarkError

#: Left out of both children's environment. The first two force another BLAS kernel on numpy, which slows
#: a current one on some machines; the third would let "cold" find what an earlier process compiled.
UNSET = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "JAX_COMPILATION_CACHE_DIR")

#: CPU against CPU, whatever the machine has.
SET = {"CUDA_VISIBLE_DEVICES": "-1", "JAX_PLATFORMS": "cpu", "TF_CPP_MIN_LOG_LEVEL": "3"}


def run_child(command: Sequence[str], name: str) -> dict[str, Any]:
    """Runs a command to its end and reads the JSON object in its last line.

    Raises:
        BenchmarkError: it failed (its stderr is in the message) or printed no JSON.
    """
    done = subprocess.run(list(command), capture_output=True, text=True, env=child_environment())
    lines = done.stdout.strip().splitlines()
    if done.returncode:
        said = "\n".join((done.stderr.strip() or done.stdout.strip()).splitlines()[-40:])
        raise BenchmarkError(f"{name} failed with exit status {done.returncode}. It said:\n{said}")
    try:
        answer = json.loads(lines[-1])
    except (IndexError, ValueError):
        raise BenchmarkError(f"{name} printed no JSON. It said:\n{done.stdout}\n{done.stderr}") from None
    if not isinstance(answer, dict):
        raise BenchmarkError(f"{name} printed {type(answer).__name__}, not a JSON object")
    return answer


def child_environment(base: Mapping[str, str] | None = None) -> dict[str, str]:
    """Returns this process's environment less UNSET, with SET."""
    kept = {k: v for k, v in (os.environ if base is None else base).items() if k not in UNSET}
    return kept | SET


def run_shown(command: Sequence[str], name: str, *, progress: Console) -> dict[str, Any]:
    """Runs a child as `run_child` does, shows meanwhile that it runs, and prints how long that took."""
    begin = time.perf_counter()
    with progress.status(f"{name} ..."):
        answer = run_child(command, name)
    progress.print(f"{name}: {time.perf_counter() - begin:.0f} s in all", style="dim", markup=False)
    return answer
