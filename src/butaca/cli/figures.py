"""This module draws tables of figures that are whole at any width: in a terminal, in a pipe, in a log."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from rich.console import Console, ConsoleOptions, RenderableType
from rich.table import Table
from rich.text import Text

#: Blanks between two columns.
GAP = 2


class Figures:
    """A Figures is a table whose columns go on below, under the same names of rows, where they do not fit.

    No figure is cut: where even a name and one column do not fit beside each other, the name takes two lines.

    Args:
        title: stands above it.
        columns: names of the columns, that of the rows' names left out.
    """

    def __init__(self, title: str, columns: Sequence[str]) -> None:
        self.title, self.columns = title, list(columns)
        self.rows: list[tuple[str, tuple[str, ...]]] = []

    def add_row(self, name: str, *cells: str) -> None:
        """Adds a row: its name, and as many cells as there are columns, as markup."""
        self.rows.append((name, cells))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        name_width = max((_width(name) for name, _ in self.rows), default=0)
        widths = [
            max([_width(column), *(_width(cells[at]) for _, cells in self.rows)])
            for at, column in enumerate(self.columns)
        ]
        parts = parted(widths, options.max_width - name_width - GAP)
        for place, part in enumerate(parts):
            if place:
                yield Text()
            yield self._part(part, self.title if not place else None)

    def _part(self, part: Sequence[int], title: str | None) -> Table:
        table = Table(title=title, title_justify="left", title_style="bold", header_style="dim", box=None)
        table.padding = (0, 0, 0, GAP)
        table.add_column("", overflow="fold")
        for at in part:
            table.add_column(self.columns[at], justify="right", no_wrap=True, overflow="fold")
        for name, cells in self.rows:
            table.add_row(name, *(cells[at] for at in part))
        return table


def parted(widths: Sequence[int], room: int) -> list[list[int]]:
    """Returns the columns in as few parts as fit beside the rows' names, alike in number; a column at least.

    >>> parted([5, 6, 7], room=16)  # 5 + 6 and two gaps fit
    [[0, 1], [2]]
    >>> parted([4, 4, 4, 4], room=20)  # three would fit
    [[0, 1], [2, 3]]

    Args:
        widths: of the columns.
        room: beside the names.
    """
    fewest = _in_order(widths, room, most=len(widths))
    most = -(-len(widths) // len(fewest))
    even = _in_order(widths, room, most=most)
    return even if len(even) == len(fewest) else fewest


def _in_order(widths: Sequence[int], room: int, *, most: int) -> list[list[int]]:
    """Fills one part after another, with as many columns as fit and at most `most`."""
    parts: list[list[int]] = [[]]
    taken = 0
    for at, width in enumerate(widths):
        if parts[-1] and (taken + width + GAP > room or len(parts[-1]) == most):
            parts.append([])
            taken = 0
        parts[-1].append(at)
        taken += width + GAP
    return parts


def number(value: float, form: str) -> str:
    """Returns a figure as text, a dash where there is none.

    >>> number(0.25, ".1%"), number(float("nan"), ".1%")
    ('25.0%', '–')
    """
    return format(value, form) if math.isfinite(value) else "–"


def _width(markup: str) -> int:
    """Returns how many cells the longest line of a text in markup takes."""
    return max((line.cell_len for line in Text.from_markup(markup).split("\n")), default=0)
