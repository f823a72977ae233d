"""This module runs a benchmark as a command: progress on stderr, tables and a line of JSON on stdout."""

from __future__ import annotations

import argparse
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
    *,
    as_json: Callable[[T], dict[str, Any]],
    out: Path | None = None,
) -> int:
    """Measures, shows, prints the JSON, writes it to `out` if asked, and returns the exit status.

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


def seeded_parser(
    doc: str | None, markdown: str = "write the section into this page"
) -> argparse.ArgumentParser:
    """Returns a parser of the options that the benchmarks over seeds share: `--seeds`, `--out`, `--markdown`.

    Args:
        doc: the module's docstring, which `--help` prints.
        markdown: what `--help` says of `--markdown`.
    """
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seeds", type=_at_least_one, default=5, help="(default 5)")
    parser.add_argument("--out", type=Path, help="write JSON here")
    parser.add_argument("--markdown", type=Path, help=markdown)
    return parser


def _at_least_one(text: str) -> int:
    """Returns the number in a text.

    Raises:
        ArgumentTypeError: it is below 1.
    """
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("is at least 1")
    return number
