"""This module writes tables in Markdown, of rows as the referee and the benchmarks have them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from butaca.evaluate.paired import PairedDifference
from butaca.evaluate.verdict import MEASURES
from butaca.referee.standing import Standing

#: Headings of the verdict's measures.
LABELS: tuple[str, ...] = tuple(label for *_, label in MEASURES)


def markdown(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Returns a table in Markdown.

    >>> print(markdown(["", "top-10"], [["EASE", ".17"]]), end="")
    |  | top-10 |
    | --- | --- |
    | EASE | .17 |
    """
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join("| " + " | ".join(cell_of(c) for c in line) + " |" for line in lines) + "\n"


def cell_of(text: str) -> str:
    r"""Returns text as a cell holds it: on one line, a bar as a bar.

    >>> print(cell_of("a|b"))
    a\|b
    """
    return " ".join(text.splitlines()).replace("|", "\\|")


def figures(means: Mapping[str, float]) -> list[str]:
    """Returns the cells of the verdict's measures.

    >>> figures({"top-10": 0.17, "top-100": 0.6, "NDCG@10": 0.5, "Recall@20": float("nan")})
    ['0.1700', '0.6000', '0.5000', '–']
    """
    return [f"{means[x]:.4f}" if math.isfinite(means[x]) else "–" for x in LABELS]


def interval(difference: PairedDifference) -> str:
    """Returns a difference with its interval, in bold where the interval leaves out zero.

    >>> interval(PairedDifference("EASE", "top-10", 0.2, 0.1, 0.4))
    '**+0.2000** (+0.1000 to +0.4000)'
    """
    if difference.word == "open":
        return f"{difference.value:+.4f} (too few users)"
    mark = "**" if difference.word in {"beats", "loses"} else ""
    ends = f"({difference.low:+.4f} to {difference.high:+.4f})"
    return f"{mark}{difference.value:+.4f}{mark} {ends}"


def seconds(value: float) -> str:
    """Returns seconds, such as 0.43 s.

    >>> seconds(0.432), seconds(71.6)
    ('0.43 s', '72 s')
    """
    return f"{value:.2f} s" if value < 10 else f"{value:.0f} s"


def means_table(rows: Sequence[Standing]) -> str:
    """Returns what each model reached, and what it took."""
    cells = []
    for row in rows:
        if row.failure:
            cells.append([row.name, "failed", *["–"] * (len(LABELS) + 3)])
            continue
        memory = "–" if row.memory_mib is None else f"{row.memory_mib:,.0f} MiB"
        chosen = f"{row.tried} in {seconds(row.choose_s)}" if row.tried else "–"
        cells.append([row.name, *figures(row.means), chosen, seconds(row.fit_s), memory])
    return markdown(["", *LABELS, "tried on validation", "fit", "memory"], cells)


def differences_table(rows: Sequence[Standing]) -> str:
    """Returns every other model less the first, at each measure; empty where there is nothing to compare."""
    cells = [[row.name, *(interval(row.differences[x]) for x in LABELS)] for row in rows if row.differences]
    return markdown(["", *LABELS], cells) if cells else ""
