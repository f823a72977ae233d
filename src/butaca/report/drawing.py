"""This module draws the parts of a chart as SVG: texts, lines, dots and the round figures of an axis.

A chart is 360 units wide, so that text is as large as it looks on a phone too. Colours, fonts and line widths
are classes of page.css, which is how a chart follows light and dark.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from itertools import pairwise

WIDTH = 360

#: Height of a row that has its label above its line.
ROW = 44


def ticks(low: float, high: float, *, n: int = 4) -> list[float]:
    """Returns about n round figures that span low to high.

    >>> ticks(0, 0.1), ticks(-0.3, 0.05, n=3)
    ([0.0, 0.05, 0.1], [-0.2, 0.0])
    """
    rough = max(high - low, 1e-12) / n
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * m for m in (1, 2, 5, 10) if power * m >= rough * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(i * step, 12) for i in range(first, last + 1)]


def svg(height: float, label: str, *, parts: Sequence[str]) -> str:
    """Returns a chart with its text alternative."""
    return (
        f'<svg class="chart" viewBox="0 0 {WIDTH} {px(height)}" role="img" aria-label="{escape(label)}">'
        + "".join(parts)
        + "</svg>"
    )


def text(x: float, y: float, content: str, *, kind: str = "", anchor: str = "start") -> str:
    """Returns a line of text as SVG; its content is escaped."""
    place = f' text-anchor="{anchor}"' if anchor != "start" else ""
    return f'<text x="{px(x)}" y="{px(y)}" class="{kind}"{place}>{escape(content)}</text>'


def line(x1: float, y1: float, x2: float, y2: float, *, kind: str) -> str:
    """Returns a straight line as SVG."""
    return f'<line x1="{px(x1)}" y1="{px(y1)}" x2="{px(x2)}" y2="{px(y2)}" class="{kind}"/>'


def dot(x: float, y: float, *, kind: str, r: float = 4.5) -> str:
    """Returns a dot as SVG."""
    return f'<circle cx="{px(x)}" cy="{px(y)}" r="{px(r)}" class="{kind}"/>'


def px(value: float) -> str:
    """Returns a coordinate as text: a tenth of a unit is finer than any screen."""
    out = f"{value:.1f}".removesuffix(".0")
    return "0" if out == "-0" else out


def decimals(marks: Sequence[float]) -> int:
    """Returns the number of decimals that tell the marks apart."""
    step = min((b - a for a, b in pairwise(marks)), default=abs(marks[0]) if marks else 1)
    return 0 if step >= 1 else max(0, -math.floor(math.log10(max(step, 1e-9)) + 1e-9))


def tick(x: float, y: float, label: str) -> str:
    """Returns a label below an axis, centred unless it would leave the chart."""
    half = len(label) * 3.3
    anchor = "start" if x < half else "end" if x > WIDTH - half else "middle"
    return text({"start": 0, "end": WIDTH}.get(anchor, x), y, label, kind="tick", anchor=anchor)
