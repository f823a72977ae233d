"""This script draws docs/rooms.svg, the rooms of butaca and their imports: `python -m docs.rooms_picture`.

A line joins a room with one that it imports from, above it. Lines that others imply are left out: where
`train` imports from `model`, and `model` from `data`, none goes from `train` to `data`. Rooms stand as high
as their imports allow. The layout is Sugiyama's: layers, then an order with few crossings, then places.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from math import inf
from pathlib import Path
from textwrap import wrap

from docs.rooms import ROOMS, Uses, layers_of, needed, uses_of

PICTURE = Path(__file__).with_name("rooms.svg")

WIDE, HIGH = 168, 66  # of a box
BETWEEN, BELOW = 18, 44  # boxes beside and below each other
THIN = 12  # the room that a passing line takes
MARGIN = 22
PORT = 13  # between lines that end at one box
PULL = 0.05  # of the picture's middle on everything


@dataclass(frozen=True)
class Chart:
    """A Chart holds rows of names: rooms, and a point `room>other@row` for each row that an edge passes.

    Attributes:
        rows: the names of each layer, from left to right.
        lines: the way of each edge, from the lower room up to the higher one.
    """

    rows: list[list[str]]
    lines: list[list[str]]

    def crossings(self) -> int:
        """Returns how often lines cross between one row and the next."""
        at = {name: i for row in self.rows for i, name in enumerate(row)}
        row_of = {name: r for r, row in enumerate(self.rows) for name in row}
        steps: dict[int, list[tuple[int, int]]] = {}
        for line in self.lines:
            for low, high in pairwise(line):
                steps.setdefault(row_of[low], []).append((at[low], at[high]))
        return sum(
            (a[0] - b[0]) * (a[1] - b[1]) < 0
            for found in steps.values()
            for i, a in enumerate(found)
            for b in found[:i]
        )

    def swaps(self) -> Iterator[Chart]:
        """Yields the charts in which two neighbours of a row have changed places."""
        for r, row in enumerate(self.rows):
            for i in range(len(row) - 1):
                new = [*row[:i], row[i + 1], row[i], *row[i + 2 :]]
                yield Chart([*self.rows[:r], new, *self.rows[r + 1 :]], self.lines)


def neighbours_of(lines: Iterable[Sequence[str]]) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Returns what each name is joined with in the row above, and in the row below."""
    above: dict[str, list[str]] = {}
    below: dict[str, list[str]] = {}
    for line in lines:
        for low, high in pairwise(line):
            above.setdefault(low, []).append(high)
            below.setdefault(high, []).append(low)
    return above, below


def ordered(uses: Uses) -> Chart:
    """Returns the rooms in rows, in an order with few crossings: by means of neighbours, then by swaps."""
    layer = layers_of(uses)
    rows: list[list[str]] = [[] for _ in range(max(layer.values()) + 1)]
    for room in uses:
        rows[layer[room]].append(room)
    lines = []
    for low, high in needed(uses):
        passed = range(layer[low] - 1, layer[high], -1)
        lines.append([low, *(f"{low}>{high}@{at}" for at in passed), high])
        for name, at in zip(lines[-1][1:-1], passed, strict=True):
            rows[at].append(name)
    above, below = neighbours_of(lines)
    best = Chart([list(row) for row in rows], lines)
    for turn in range(40):
        joined = (above, below)[turn % 2]
        for row in rows if turn % 2 == 0 else rows[::-1]:
            place = {name: i for other in rows for i, name in enumerate(other)}
            mean = {n: sum(place[o] for o in joined.get(n, [n])) / len(joined.get(n, [n])) for n in row}
            row.sort(key=mean.__getitem__)
        trial = Chart([list(row) for row in rows], lines)
        best = min(best, trial, key=Chart.crossings)
    while True:
        swapped = min(best.swaps(), key=Chart.crossings)
        if swapped.crossings() >= best.crossings():
            return best
        best = swapped


def spread(wanted: Sequence[float], apart: Sequence[float]) -> list[float]:
    """Returns the places nearest to those wanted (least squares) that are in order and far enough apart.

    >>> spread([0.0, 0.0, 50.0], [10.0, 10.0])
    [-5.0, 5.0, 50.0]
    """
    offsets = [0.0, *accumulate(apart)]
    blocks: list[tuple[float, int]] = []  # mean, how many: what would overlap moves as one
    for want, offset in zip(wanted, offsets, strict=True):
        mean, many = want - offset, 1
        while blocks and blocks[-1][0] > mean:
            other, more = blocks.pop()
            mean, many = (mean * many + other * more) / (many + more), many + more
        blocks.append((mean, many))
    flat = [mean for mean, many in blocks for _ in range(many)]
    return [place + offset for place, offset in zip(flat, offsets, strict=True)]


def apart(a: str, b: str) -> float:
    """Returns how far the middles of two neighbours in a row are from each other at least."""
    return sum(WIDE if name in ROOMS else THIN for name in (a, b)) / 2 + BETWEEN


def placed(chart: Chart) -> dict[str, float]:
    """Returns the middle of each name, from the left: near what it is joined with, and the middle."""
    gaps = [[apart(a, b) for a, b in pairwise(row)] for row in chart.rows]
    x: dict[str, float] = {}
    for row, gap in zip(chart.rows, gaps, strict=True):
        x |= zip(row, spread([-sum(gap) / 2] * len(row), gap), strict=True)
    above, below = neighbours_of(chart.lines)
    for turn in range(201):
        joined = (below, above)[turn % 2]
        for row, gap in zip(chart.rows, gaps, strict=True):
            near = [joined.get(name, [name]) for name in row]
            x |= zip(row, spread([sum(x[o] for o in n) / (len(n) + PULL) for n in near], gap), strict=True)
    straighten(chart, x)
    left = min(x[name] - (WIDE if name in ROOMS else THIN) / 2 for name in x)
    return {name: round(place - left + MARGIN) for name, place in x.items()}


def straighten(chart: Chart, x: dict[str, float]) -> None:
    """Moves the lines that pass several rows so that each runs straight for as long as boxes let it."""
    for line in sorted(chart.lines, key=len, reverse=True):
        run: list[str] = []
        least, most = -inf, inf
        for name in [*line[1:-1], ""]:
            row = next((row for row in chart.rows if name in row), [""])
            at = row.index(name)
            low = x[row[at - 1]] + apart(row[at - 1], name) if at > 0 else -inf
            high = x[row[at + 1]] - apart(name, row[at + 1]) if at + 1 < len(row) else inf
            if run and (not name or max(least, low) > min(most, high)):
                ends = sorted((x[line[0]], x[line[-1]], sum(x[n] for n in run) / len(run)))
                place = min((min(max(end, least), most) for end in ends), key=lambda p: abs(p - ends[1]))
                x |= dict.fromkeys(run, place)
                run, least, most = [], -inf, inf
            run, least, most = [*run, name], max(least, low), min(most, high)


STYLE = """
    .ground { fill: #ffffff } .box { fill: #f7f4ee; stroke: #cdc6b8 } .line { stroke: #a89f8e }
    .name { fill: #211d17; font-weight: 650; font-size: 15px } .holds { fill: #5d564a; font-size: 11.5px }
    text { font-family: system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; text-anchor: middle }
    .line { fill: none; stroke-width: 1.4 }
    @media (prefers-color-scheme: dark) {
      .ground { fill: #14161a } .box { fill: #22262d; stroke: #434a56 } .line { stroke: #6d7685 }
      .name { fill: #f2efe9 } .holds { fill: #b7bcc6 }
    }
"""


def balanced(text: str) -> list[str]:
    """Returns a text in as few lines as a box allows, none much longer than the others.

    >>> balanced("the command: it parses and prints")
    ['the command: it', 'parses and prints']
    """
    return min(
        (wrap(text, wide) for wide in range(12, 27)), key=lambda lines: (len(lines), max(map(len, lines)))
    )


def drawn(uses: Uses) -> str:
    """Returns the picture as SVG, readable in light and in dark."""
    chart = ordered(uses)
    x = placed(chart)
    y = {name: MARGIN + r * (HIGH + BELOW) for r, row in enumerate(chart.rows) for name in row}
    right = max(x[name] + (WIDE if name in ROOMS else THIN) / 2 for name in x) + MARGIN
    bottom = max(y.values()) + HIGH + MARGIN
    above, below = neighbours_of(chart.lines)

    def port(name: str, other: str, joined: Mapping[str, list[str]]) -> float:
        """Returns where at a box the line to another name ends."""
        ends = sorted(joined[name], key=lambda end: x[end])
        return x[name] + (ends.index(other) - (len(ends) - 1) / 2) * PORT

    parts = []
    for line in chart.lines:
        way = ""
        for low, high in pairwise(line):
            start, end = port(low, high, above), port(high, low, below)
            top, foot = y[high] + HIGH, y[low]
            half = (foot + top) / 2
            way += (
                f"{'L' if way else 'M'}{start:g} {foot:g}C{start:g} {half:g} {end:g} {half:g} {end:g} {top:g}"
            )
        parts.append(f'<path class="line" d="{way}"><title>{line[0]} imports from {line[-1]}</title></path>')
    for name in uses:
        middle, top = x[name], y[name]
        lines = balanced(ROOMS[name])
        first = top + 40 - 6.5 * (len(lines) - 1) + (3 if len(lines) > 1 else 6)
        parts.append(
            f'<rect class="box" x="{middle - WIDE / 2:g}" y="{top:g}" width="{WIDE}" height="{HIGH}" rx="7"/>'
            f'<text class="name" x="{middle:g}" y="{top + 21:g}">{name}</text>'
        )
        parts += [
            f'<text class="holds" x="{middle:g}" y="{first + 14 * i + 7:g}">{text}</text>'
            for i, text in enumerate(lines)
        ]
    body = "\n  ".join(parts)
    said = "The rooms of butaca: each imports only from rooms above it"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {right:g} {bottom:g}" width="{right:g}" '
        f'height="{bottom:g}" role="img" aria-label="{said}">\n  <style>{STYLE}  </style>\n'
        f'  <rect class="ground" width="100%" height="100%" rx="10"/>\n  {body}\n</svg>\n'
    )


if __name__ == "__main__":
    PICTURE.write_text(drawn(uses_of()), encoding="utf-8")
