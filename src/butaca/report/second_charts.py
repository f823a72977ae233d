"""This module draws what the second stage reaches of its ceiling, and how its scores are calibrated."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np

from butaca.report import drawing
from butaca.report.drawing import WIDTH
from butaca.report.words import Words


def reach(rows: Sequence[tuple[str, float, float | None, float | None]], words: Words) -> str:
    """Draws shares of the test pairs: a bar for both stages, a mark for the first, a ring for the best order.

    Args:
        rows: name, the first stage's, both stages' (None: the ceiling itself), the best order's or None.
        words: of the page.
    """
    parts, spoken = [], []
    for place, (name, first, both, best) in enumerate(rows):
        y = drawing.ROW * place + 16.0
        parts.append(drawing.text(0, y, name, kind="label"))
        if both is None:
            said = f'<tspan class="theirs">{escape(words.percent(first, 1))}</tspan>'
        else:
            said = (
                f'<tspan class="theirs">{escape(words.percent(first, 1))} → </tspan>'
                f'<tspan class="ours">{escape(words.percent(both, 1))}</tspan>'
            )
        parts.append(f'<text x="{WIDTH}" y="{y:g}" class="value" text-anchor="end">{said}</text>')
        parts.append(f'<rect x="0" y="{y + 8:g}" width="{WIDTH}" height="7" class="track" rx="2"/>')
        shown = first if both is None else both
        if np.isfinite(shown):
            kind = "theirs" if both is None else "ours"
            wide = max(shown * WIDTH, 1.5)
            parts.append(f'<rect x="0" y="{y + 8:g}" width="{wide:.1f}" height="7" class="{kind}" rx="2"/>')
        if both is not None and np.isfinite(first):
            at = min(max(first * WIDTH, 1.0), WIDTH - 1.0)  # whole at either edge
            parts.append(drawing.line(at, y + 4.5, at, y + 18.5, kind="mark"))
        if best is not None:
            parts.append(drawing.dot(min(best * WIDTH, WIDTH - 5), y + 11.5, kind="dot hollow", r=4.5))
        values = [f"{words('first stage')} {words.percent(first, 1)}"]
        values += [f"{words('both stages')} {words.percent(both, 1)}"] if both is not None else []
        values += [f"{words('best order')} {words.percent(best, 1)}"] if best is not None else []
        spoken.append(f"{name}: {', '.join(values)}")
    return drawing.svg(drawing.ROW * len(rows), words("reach alt", rows="; ".join(spoken)), parts=parts)


def calibration(rows: Sequence[tuple[float, float, int]], words: Words) -> str:
    """Draws the share watched by bin of the score, and the mean of all as a line."""
    score = [row[0] for row in rows]
    share = [row[1] for row in rows]
    total = sum(row[2] for row in rows)
    mean = sum(s * n for _, s, n in rows) / max(total, 1)
    low, high = min(score), max(score)
    most = max([*share, 1e-6]) * 1.1
    top, bottom, left, right = 10.0, 170.0, 40.0, WIDTH - 8.0

    def x(value: float) -> float:
        return left + (value - low) / max(high - low, 1e-9) * (right - left)

    def y(value: float) -> float:
        return bottom - value / most * (bottom - top)

    parts = []
    for mark in drawing.ticks(0, most):
        parts.append(drawing.line(left - 6, y(mark), right + 8, y(mark), kind="grid" if mark else "axis"))
        parts.append(
            drawing.text(
                left - 10,
                y(mark) + 4,
                words.percent(mark, 0 if most > 0.04 else 1),
                kind="tick",
                anchor="end",
            )
        )
    digits = 0 if high - low > 4 else 1
    for mark in drawing.ticks(low, high, n=5):
        parts += [
            drawing.text(x(mark), bottom + 18, words.figure(mark, digits), kind="tick", anchor="middle")
        ]
    parts.append(drawing.line(left - 6, y(mean), right + 8, y(mean), kind="mean"))
    parts.append(
        drawing.text(
            left - 2, y(mean) - 6, words("calibration mean", share=words.percent(mean, 1)), kind="tick"
        )
    )
    path = " ".join(f"{x(a):.1f},{y(b):.1f}" for a, b in zip(score, share, strict=True))
    parts.append(f'<polyline points="{path}" class="curve c0"/>')
    parts += [drawing.dot(x(a), y(b), kind="dot c0", r=3.8) for a, b in zip(score, share, strict=True)]
    parts.append(drawing.text(right + 8, bottom + 36, words("score axis"), kind="tick", anchor="end"))
    spoken = "; ".join(
        words("calibration row", score=words.figure(a, 2), share=words.percent(b, 1), n=words.count(n))
        for a, b, n in rows
    )
    return drawing.svg(bottom + 42, words("calibration alt", rows=spoken), parts=parts)
