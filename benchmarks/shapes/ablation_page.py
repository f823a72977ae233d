"""This module writes the page of the ablation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.pages import markdown, settled
from benchmarks.shapes.fits import SeedRuns, against, cells, difference_text, where
from butaca.evaluate.verdict import MEASURES
from butaca.referee.tables import seconds


def page(found: Mapping[str, tuple[Any, SeedRuns]], seeds: int) -> str:
    """Returns the text of docs/ablation.md."""
    default = found["default"][1].evaluation
    head = ["", *(label for _, _, label in MEASURES), "fit", "top-10 less the default's", "all four"]
    parts = [HEAD.format(seeds=seeds)]
    groups: dict[str, list[list[str]]] = {}
    for name, (row, fitted) in found.items():
        difference, word = "", ""
        if name != "default":
            verdict = against(fitted.evaluation, {"default": default})
            difference, word = difference_text(verdict.against["default"][0]), verdict.word("default")
        line = [f"{row.text} (`{name}`)", *cells(fitted.evaluation), seconds(fitted.warm), difference, word]
        groups.setdefault(row.group, []).append(line)
    for group, lines in groups.items():
        parts += [f"## {group}", markdown(head, lines)]
    parts += [FOOT, where()]
    return settled("\n\n".join(parts))


HEAD = """# What each part of the default recipe is worth

`python -m benchmarks.shapes.ablation` (`make bench-ablation`) changes one thing of the `default` recipe
at a time, and this page is what it wrote (`--markdown docs/ablation.md`). One row alone:
`python -m benchmarks.shapes.ablation dropout-0`.

MovieLens 100K, the notebook's random split (seed 42, a fifth of the ratings out), titles as items, seen
titles left out. Figures are means of {seeds} seeds with a 95 % t interval. The difference is paired: a user's
mean over seeds, 2,000 resamples of users; *beats*, *ties* and *loses* say whether its interval excludes zero,
and the last column says so of all four measures together. No setting was chosen by this table: it reads the
test pairs, and settings are chosen on validation slices (docs/tuning.md).
"""

FOOT = """## What matters

- **Two towers beside each other.** The closed-form tower alone has most of the accuracy for a tenth of the
  time, the trained one alone less, and both together beat either.
- **Time.** Without closeness in time (`no-time`) the recipe falls to where EASE is (.1730). Ratings that a
  random split puts into the test often stand in the same sitting as ones in training, and this is what the
  span reads: it is worth what it is worth on this protocol, and nothing was seen of it on a split in time
  (docs/shapes.md).
- **The start** saves steps more than it changes the end: from noise, three times the steps tie.
- **Unit vectors** with a temperature against dot products (rate and l2 of those chosen on validation) win by
  a wide margin. Too low a temperature costs more than too high a one.
- **The prior** and the **dropout**'s exact value (.5 to .75) matter little; no dropout costs a little.
- **Masks** matter where the softmax samples: in-batch .1648 with and .1265 without, 512 draws .1780 and
  .1706. With the whole catalogue they do not matter at top-10, and top-100 is lower. Draws by count ** .5 or
  by count are alike; uniform draws lose. **LogQ** matters with them: without
  it draws by count fall from .1779 to .1660, by count ** .5 from .1780 to .1756.
- **History or id** tie here, beside the closed-form tower, which reads the history anyway; the history
  needs no parameters per user and answers new ones.
- **Features, rating and recency weights** tie: they are for new titles and other data. **A hidden layer**
  loses. Beyond 64 **dimensions** the gain is not shown, and the time doubles.
"""
