"""How a benchmark runs as a command: progress on stderr, tables and one line of JSON on stdout."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from rich.console import Console

from benchmarks.environment import BenchmarkError
from butaca import ButacaError

T = TypeVar("T")


def run(
    measure: Callable[[Console], T],
    show: Callable[[Console, T], None],
    as_json: Callable[[T], dict[str, Any]],
    out: Path | None = None,
) -> int:
    """Measure, show, print the JSON, and write it to `out` if asked: the exit status.

    Args:
        measure: does the work, told where progress goes.
        show: prints the tables.
        as_json: what the last line holds.
        out: also write that line here.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that temporary folders go too
    progress = Console(stderr=True, highlight=False)
    try:
        results = measure(progress)
    except (BenchmarkError, ButacaError) as error:
        progress.print(f"The benchmark stopped. {error}", style="red", markup=False)
        return 1
    except KeyboardInterrupt:
        progress.print("Interrupted.", style="red")
        return 130
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=120)
    show(console, results)
    line = json.dumps(as_json(results))
    if out is not None:
        out.write_text(line + "\n", encoding="utf8")
    print(line, flush=True)
    return 0
