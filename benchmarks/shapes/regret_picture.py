"""This module draws what a choice gave on each data set, beside every other configuration."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

from matplotlib import pyplot as plt

CHOSEN, OTHER, INK = "#b3261e", "#8a8a8a", "#1c1c1c"


def draw(found: Mapping[str, tuple[float, Mapping[str, float]]], path: Path) -> None:
    """Draws a row for each data set: the choice and the others, each in parts of the best in hindsight.

    Args:
        found: value of the choice, and of the others, by the text of the row.
        path: of the picture.
    """
    figure, axes = plt.subplots(figsize=(7.2, 0.9 + 0.34 * len(found)), dpi=160)
    for row, (value, others) in enumerate(found.values()):
        best = max(value, *others.values())
        axes.scatter(
            [100 * v / best for v in others.values()], [row] * len(others), s=34, color=OTHER, alpha=0.55
        )
        axes.scatter([100 * value / best], [row], s=64, color=CHOSEN, zorder=3)
    axes.axvline(100, color=INK, lw=0.8)
    axes.set_yticks(range(len(found)), list(found), fontsize=8, color=INK)
    axes.invert_yaxis()
    axes.set_xlabel("of the best configuration in hindsight, % (test side)", fontsize=8, color=INK)
    axes.set_title(
        "What validation chose (red) beside what else there was (grey)", loc="left", fontsize=10, color=INK
    )
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.grid(axis="x", color="#e6e6e6", lw=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=8, length=0)
    figure.tight_layout()
    figure.savefig(path, metadata={"Software": None})
    plt.close(figure)
