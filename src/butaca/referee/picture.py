"""This module draws the referee's picture: each model less the first at one measure, protocol by protocol."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from html import escape

from butaca.evaluate.paired import PairedDifference
from butaca.referee.standing import Standing
from butaca.report.drawing import WIDTH, decimals, dot, line, px, text, tick, ticks

#: What is drawn, and the heights of a row and of a protocol's heading.
MEASURE, ROW_HEIGHT, HEADING = "NDCG@10", 20.0, 30.0

#: Where the axis begins, right of the names.
LEFT = 118.0

#: Colours that are told apart in light and dark.
STYLE = """
text { font: 11px system-ui, sans-serif; fill: #57606a }
text.heading { font-weight: 600; font-size: 12px; fill: #1f6feb }
line.grid { stroke: #8b949e; stroke-opacity: .3 }
line.zero { stroke: #8b949e; stroke-width: 1.5 }
line.beats, circle.beats { stroke: #2da44e; fill: #2da44e }
line.ties, circle.ties { stroke: #8b949e; fill: #8b949e }
line.loses, circle.loses { stroke: #cf222e; fill: #cf222e }
line.interval { stroke-width: 2 }
@media (prefers-color-scheme: dark) { text { fill: #adbac7 } }
"""


def picture(found: Mapping[str, Sequence[Standing]]) -> str:
    """Returns the picture as a file of SVG; empty where there is nothing to compare.

    Args:
        found: rows by protocol.
    """
    drawn = {
        protocol: [(row.name, row.differences[MEASURE]) for row in rows if MEASURE in row.differences]
        for protocol, rows in found.items()
    }
    drawn = {protocol: rows for protocol, rows in drawn.items() if rows}
    ends = [end for rows in drawn.values() for _, d in rows for end in (d.value, d.low, d.high)]
    ends = [end for end in ends if math.isfinite(end)]
    if not ends:
        return ""
    low, high = min(*ends, 0.0), max(*ends, 0.0)
    room = (high - low) * 0.04 or 0.01
    low, high = low - room, high + room

    def x(value: float) -> float:
        return LEFT + (value - low) / (high - low) * (WIDTH - LEFT - 6)

    marks = ticks(low, high)
    first = next(iter(drawn.values()))[0][1].other
    parts, at = [text(0, 14, f"{MEASURE}: each less {first}, 95 % intervals over users")], 18.0
    for protocol, rows in drawn.items():
        parts.append(text(0, at + 20, protocol, kind="heading"))
        at += HEADING
        bottom = at + ROW_HEIGHT * len(rows)
        parts += [line(x(t), at - 4, x(t), bottom - 4, kind="zero" if t == 0 else "grid") for t in marks]
        for name, difference in rows:
            parts += _row(name, difference, y=at + 6, x=x)
            at += ROW_HEIGHT
    digits = decimals(marks)
    parts += [tick(x(t), at + 12, f"{t:+.{digits}f}" if t else "0") for t in marks]
    spoken = "; ".join(f"{p}: {name} {d.value:+.4f}" for p, rows in drawn.items() for name, d in rows)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {px(at + 20)}" role="img" '
        f'aria-label="{escape(spoken)}"><style>{STYLE}</style>{"".join(parts)}</svg>\n'
    )


def _row(name: str, difference: PairedDifference, *, y: float, x: Callable[[float], float]) -> list[str]:
    """Returns a model's name, its interval and its difference."""
    parts = [text(0, y + 4, name)]
    if difference.word != "open":
        ends = x(difference.low), x(difference.high)
        parts.append(line(ends[0], y, ends[1], y, kind=f"interval {difference.word}"))
    parts.append(dot(x(difference.value), y, kind=difference.word, r=3.5))
    return parts
