"""This module draws charts of words and figures as SVG, from the parts in drawing.py."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from butaca.evaluate.verdict import Comparison
from butaca.report.drawing import ROW, WIDTH, decimals, dot, line, px, svg, text, tick, ticks
from butaca.report.words import Words


def forest(
    label: str,
    rows: Sequence[tuple[str, Comparison]],
    *,
    words: Words,
    row_key: str = "forest row",
    places: int = 3,
) -> str:
    """Draws the difference to each baseline with its interval, zero marked.

    Args:
        label: of the measure.
        rows: names of the baselines, and the comparisons.
        words: of the page.
        row_key: of a row's text alternative.
        places: decimals of the differences.
    """
    ends = [v for _, c in rows for v in (c.low, c.high, c.difference) if math.isfinite(v)] + [0.0]
    low, high = min(ends), max(ends)
    room = (high - low) * 0.06 or 0.01  # all equal: an axis of round figures all the same
    low, high = low - room, high + room

    def x(value: float) -> float:
        return 6 + (value - low) / (high - low) * (WIDTH - 12)

    bottom = ROW * len(rows) + 1
    marks = ticks(low, high)
    parts = _bands(len(rows), [(x(t), t == 0) for t in marks])
    digits = decimals(marks)
    parts += [tick(x(t), bottom + 15, words.signed(t, digits) if t else "0") for t in marks]
    spoken = []
    for place, (name, c) in enumerate(rows):
        y = ROW * place + 34
        parts.append(text(0, y - 14, name, kind="label"))
        said = f"{words.signed(c.difference, places)} {words(c.word)}"
        parts.append(text(WIDTH, y - 14, said, kind=f"value {c.word}", anchor="end"))
        if math.isfinite(c.low):
            parts.append(line(x(c.low), y, x(c.high), y, kind=f"interval {c.word}"))
        if math.isfinite(c.difference):
            parts.append(dot(x(c.difference), y, kind=f"dot {c.word}"))
        spoken.append(
            words(
                row_key,
                word=words(c.word),
                name=name,
                difference=words.signed(c.difference, places),
                low=words.signed(c.low, places),
                high=words.signed(c.high, places),
            )
        )
    return svg(bottom + 20, words("forest alt", label=label, rows="; ".join(spoken)), parts=parts)


def curves(series: Sequence[tuple[str, Sequence[float | None]]], words: Words) -> str:
    """Draws figures by epoch, each line named at its end where there are several.

    Args:
        series: names and figures, None where there is none.
        words: of the page.
    """
    values = [v for _, row in series for v in row if v is not None and math.isfinite(v)]
    n = max(len(row) for _, row in series)
    low, high = min(values), max(values)
    room = max((high - low) * 0.08, abs(high) * 1e-3, 1e-9)
    low, high = low - room, high + room
    marks = ticks(low, high)
    digits = decimals(marks)
    left = 10 + 6.6 * max(len(words.figure(mark, digits)) for mark in marks)
    top, bottom, right = 12.0, 170.0, WIDTH - (78.0 if len(series) > 1 else 8.0)

    def x(epoch: int) -> float:
        return left + epoch / max(n - 1, 1) * (right - left)

    def y(value: float) -> float:
        return bottom - (value - low) / (high - low) * (bottom - top)

    parts = []
    for mark in marks:
        parts.append(line(left, y(mark), right, y(mark), kind="grid"))
        parts.append(text(left - 6, y(mark) + 4, words.figure(mark, digits), kind="tick", anchor="end"))
    epochs = [e for e in ticks(1, max(n, 2), n=5) if float(e).is_integer() and 1 <= e <= n]
    epochs = sorted({1.0, float(n)} | {e for e in epochs if 1 + n / 7 < e < n - n / 12})
    for epoch in epochs:
        named = f"{words('epoch')} {int(epoch)}" if epoch == 1 else str(int(epoch))
        parts.append(tick(x(int(epoch) - 1), bottom + 18, named))
    parts.append(line(left, bottom, right, bottom, kind="axis"))
    spoken, ends = [], []
    for place, (name, row) in enumerate(series):
        points = [(x(e), y(v)) for e, v in enumerate(row) if v is not None and math.isfinite(v)]
        if not points:
            continue
        path = " ".join(f"{px(a)},{px(b)}" for a, b in points)
        parts.append(f'<polyline points="{path}" class="curve c{place % 4}"/>')
        parts.append(dot(*points[-1], kind=f"dot c{place % 4}", r=3.5))
        own = [v for v in row if v is not None and math.isfinite(v)]
        ends.append((points[-1][1], name, place))
        spoken.append(
            words(
                "line alt",
                name=name,
                epochs=str(len(row)),
                first=words.figure(own[0], digits + 1),
                last=words.figure(own[-1], digits + 1),
            )
        )
    if len(series) > 1:
        at = -math.inf
        for end, name, place in sorted(ends):
            at = max(end + 4, at + 15)
            parts.append(text(right + 8, at, name, kind=f"label c{place % 4}"))
    return svg(bottom + 26, " ".join(spoken), parts=parts)


def dumbbells(
    rows: Sequence[tuple[str, str, float, float | None]], names: tuple[str, str | None], *, words: Words
) -> str:
    """Draws two models' figures beside each other, a row each, from 0.

    Args:
        rows: what the row is, its bounds, our figure, theirs.
        names: of the two.
        words: of the page.
    """
    figures = [v for *_, a, b in rows for v in (a, b) if v is not None and math.isfinite(v)]
    high = max([*figures, 1e-6]) * 1.06

    def x(value: float) -> float:
        return 6 + value / high * (WIDTH - 12)

    bottom = ROW * len(rows) + 1
    marks = ticks(0, high)
    digits = decimals(marks)
    parts = _bands(len(rows), [(x(t), t == 0) for t in marks])
    parts += [tick(x(t), bottom + 15, words.figure(t, digits) if t else "0") for t in marks]
    for place, (name, bounds, ours, theirs) in enumerate(rows):
        y = ROW * place + 34
        parts.append(
            f'<text x="0" y="{px(y - 14)}" class="label">{escape(name)}'
            f'<tspan class="soft" dx="6">{escape(bounds)}</tspan></text>'
        )
        said = f'<tspan class="ours">{escape(words.figure(ours, 3))}</tspan>'
        if theirs is not None:
            said += f'<tspan class="theirs" dx="10">{escape(words.figure(theirs, 3))}</tspan>'
        if theirs is not None and math.isfinite(theirs) and math.isfinite(ours):
            parts.append(line(x(ours), y, x(theirs), y, kind="link"))
            parts.append(dot(x(theirs), y, kind="dot hollow"))
        parts.append(f'<text x="{WIDTH}" y="{px(y - 14)}" class="value" text-anchor="end">{said}</text>')
        if math.isfinite(ours):
            parts.append(dot(x(ours), y, kind="dot ours"))
    spoken = "; ".join(
        words("slice row", slice=f"{name} ({b})", ours=words.figure(o, 3), theirs=words.figure(t, 3))
        for name, b, o, t in rows
    )
    return svg(bottom + 20, words("slice alt", name=names[1] or "–", rows=spoken), parts=parts)


def bars(rows: Sequence[tuple[str, float, str]], alt: str, *, words: Words) -> str:
    """Draws shares as bars from 0, named above.

    Args:
        rows: name, share, class ("ours" or "theirs").
        alt: key of the text alternative, which has a place for {rows}.
        words: of the page.
    """
    high = max([value for _, value, _ in rows if math.isfinite(value)] + [1e-6])
    parts = []
    for place, (name, value, kind) in enumerate(rows):
        y = 40.0 * place
        parts.append(text(0, y + 16, name, kind=f"label {kind if kind == 'ours' else ''}"))
        parts.append(text(WIDTH, y + 16, words.percent(value, 1), kind=f"value {kind}", anchor="end"))
        parts.append(f'<rect x="0" y="{px(y + 23)}" width="{WIDTH}" height="5" class="track" rx="2.5"/>')
        if math.isfinite(value) and value > 0:
            wide = max(value / high * WIDTH, 2)
            parts.append(
                f'<rect x="0" y="{px(y + 23)}" width="{px(wide)}" height="5" class="{kind}" rx="2.5"/>'
            )
    spoken = "; ".join(f"{name} {words.percent(value, 1)}" for name, value, _ in rows)
    return svg(40.0 * len(rows), words(alt, rows=spoken), parts=parts)


def columns(
    lists: Sequence[float], train: Sequence[float], *, test: Sequence[float] | None, words: Words
) -> str:
    """Draws shares by part of the catalogue: columns for lists, marks for training and test."""
    n = len(lists)
    high = max([*lists, *train, *(test or [0.0]), 1e-6]) * 1.12
    top, bottom, step = 8.0, 190.0, WIDTH / n
    wide = step * 0.62

    def y(value: float) -> float:
        return bottom - value / high * (bottom - top)

    marks = [t for t in ticks(0, high) if t > 0]
    parts = []
    for mark in marks:
        parts.append(line(0, y(mark), WIDTH, y(mark), kind="grid"))
        parts.append(text(WIDTH, y(mark) - 4, words.percent(mark), kind="tick", anchor="end"))
    spoken = []
    for place in range(n):
        x = step * place + (step - wide) / 2
        parts.append(
            f'<rect x="{px(x)}" y="{px(y(lists[place]))}" width="{px(wide)}" '
            f'height="{px(bottom - y(lists[place]))}" class="ours"/>'
        )
        parts.append(line(x - 3, y(train[place]), x + wide + 3, y(train[place]), kind="mark"))
        values = [f"{words('list places')} {words.percent(lists[place], 1)}"]
        values.append(f"{words('training share')} {words.percent(train[place], 1)}")
        if test is not None:
            parts.append(dot(x + wide / 2, y(test[place]), kind="dot hollow", r=3.5))
            values.append(f"{words('test share')} {words.percent(test[place], 1)}")
        parts.append(text(x + wide / 2, bottom + 15, str(place + 1), kind="tick", anchor="middle"))
        spoken.append(words("decile row", n=str(place + 1), values=", ".join(values)))
    parts.append(line(0, bottom, WIDTH, bottom, kind="axis"))
    parts.append(text(0, bottom + 32, words("most popular"), kind="tick"))
    parts.append(text(WIDTH, bottom + 32, words("least popular"), kind="tick", anchor="end"))
    return svg(bottom + 38, words("deciles alt", rows=". ".join(spoken)), parts=parts)


def _bands(rows: int, marks: Sequence[tuple[float, bool]]) -> list[str]:
    """Returns grid lines beside the marks of each row, not through its words; the zero is darker."""
    return [
        line(x, ROW * place + 26, x, ROW * place + 42, kind="zero" if zero else "grid")
        for place in range(rows)
        for x, zero in marks
    ]
