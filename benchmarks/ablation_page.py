"""The page of the ablation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.fits import Fitted, against, cells, markdown, seconds, settled, told, where
from butaca.evaluate.verdict import MEASURES


def page(found: Mapping[str, tuple[Any, Fitted]], seeds: int) -> str:
    """docs/ablation.md."""
    default = found["default"][1].evaluation
    head = ["", *(label for _, _, label in MEASURES), "fit", "top-10 less the default's", "all four"]
    parts = [HEAD.format(seeds=seeds)]
    groups: dict[str, list[list[str]]] = {}
    for name, (row, fitted) in found.items():
        difference, word = "", ""
        if name != "default":
            verdict = against(fitted.evaluation, {"default": default})
            difference, word = told(verdict.against["default"][0]), verdict.word("default")
        line = [f"{row.text} (`{name}`)", *cells(fitted.evaluation), seconds(fitted.warm), difference, word]
        groups.setdefault(row.group, []).append(line)
    for group, lines in groups.items():
        parts += [f"## {group}", markdown(head, lines)]
    parts += [FOOT, where()]
    return settled("\n\n".join(parts))


HEAD = """# What each part of the default recipe is worth

`python -m benchmarks.ablation` (`make bench-ablation`) changes one thing of the `default` recipe at a time,
and this page is what it wrote (`--markdown docs/ablation.md`). One row alone:
`python -m benchmarks.ablation dropout-0`.

MovieLens 100K, the notebook's random split (seed 42, a fifth of the ratings out), titles as items, seen
titles left out. Figures are means of {seeds} seeds with a 95 % t interval. The difference is paired: a user's
mean over seeds, 2,000 resamples of users; *beats*, *ties* and *loses* say whether its interval excludes zero,
and the last column says so of all four measures together. No setting was chosen by this table: it reads the
test pairs, and settings are chosen on validation slices (docs/tuning.md).
"""

FOOT = """## What matters
"""
