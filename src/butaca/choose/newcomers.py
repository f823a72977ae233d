"""This module finds out whether what a table says of users tells what those without a history would have.

Each user of the slice is answered as if they were new: by what all the others with a history say of such
people (model/newcomers.py). That is compared with the two lists that need no columns: what most people chose,
which somebody new gets otherwise, and what the model gives the average user. Nothing is trained.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from butaca.baselines.popularity import counts_of
from butaca.choose.slices import ValidationSlice
from butaca.data.histories import leaving_lists
from butaca.evaluate.protocol import evaluate_scorer
from butaca.evaluate.verdict import Comparison, verdict
from butaca.model.features import Feature
from butaca.model.newcomers import features_of_users, smoother_of
from butaca.types import Floats

#: What people without a history get where no column is read.
POPULAR, AVERAGE = "popularity", "the average user's"

#: The verdict's measure that is told, of the four that decide.
TOLD = "ndcg"


@dataclass(frozen=True)
class ForNewcomers:
    """A ForNewcomers says what users' columns are worth for people without a history.

    Attributes:
        features: of the columns, whether they are used or not.
        used: whether validation says that they help: better than both lists without columns at some of the
            verdict's measures, by more than noise, and worse at none.
        told: NDCG@10 with the columns, beside the better of the two.
        users: that were answered as if they were new.
    """

    features: tuple[Feature, ...]
    used: bool
    told: Comparison
    users: int

    @property
    def sentence(self) -> str:
        """Says what becomes of the columns, and by which figures."""
        names = [feature.column for feature in self.features]
        named = ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
        of = self.told
        figures = f"{of.label} {of.ours:.4f} against {of.theirs:.4f} without"
        if not np.isnan(of.low):
            figures += f" ({of.low:+.4f} to {of.high:+.4f})"
        asked = f"of {self.users:,} users, each answered as if new"
        if self.used:
            return f"People without a history get lists by the users' columns {named}: {asked}, {figures}."
        return (
            f"The users' columns {named} are not used, as validation does not say that they help: {asked}, "
            f"{figures}. Someone without a history gets what most people chose."
        )

    def as_json(self) -> dict[str, Any]:
        """Returns the comparison for a model's manifest."""
        return {
            "columns": [feature.column for feature in self.features],
            "used": self.used,
            "users": self.users,
            "measure": self.told.label,
            "with": self.told.ours,
            "without": self.told.theirs,
            "low": None if np.isnan(self.told.low) else self.told.low,
            "high": None if np.isnan(self.told.high) else self.told.high,
            "sentence": self.sentence,
        }


def for_newcomers(part: ValidationSlice, personal: Floats, *, term: Floats) -> ForNewcomers | None:
    """Compares lists by users' columns with those without; None where there are no such columns.

    Args:
        part: the slice.
        personal: scores of its users without any term of the items, as the model weighs them [R, N].
        term: of each item [N].
    """
    users = part.train.users
    features = features_of_users(users)
    lengths = part.lengths
    if not features or np.count_nonzero(lengths) < 2:
        return None
    _, smoother, _ = smoother_of(features, users, rows=part.users, count=lengths)
    projected = personal @ _directions(personal.shape[1])
    by_columns = smoother.left_out(personal, smoother.ridge(projected.astype(np.float64)))
    others = 1.0 - smoother.weight / smoother.weight.sum()
    mean = (smoother.weight @ personal) / smoother.weight.sum()
    average = mean - (smoother.weight / smoother.weight.sum())[:, None] * personal
    rows = {
        POPULAR: np.broadcast_to(counts_of(part.train), personal.shape),
        AVERAGE: average / others[:, None] + term,
    }
    seen = leaving_lists(part.seen, again=part.train.again)

    def judged(scores: Floats) -> Any:
        return evaluate_scorer(part.rows(scores.astype(np.float32)), part.validation, seen=seen)

    ours = judged(by_columns + term)
    found = verdict(ours, {name: judged(scores) for name, scores in rows.items()})
    words = {found.word(name) for name in rows}
    told = [next(c for c in found.against[name] if c.metric == TOLD) for name in rows]
    return ForNewcomers(features, words == {"beats"}, max(told, key=lambda c: c.theirs), len(part.users))


def _directions(n_items: int) -> Floats:
    """Returns random directions of scores [N, t], in which errors keep their size on average."""
    one_of_each = np.eye(n_items, dtype=np.float32) if n_items <= 32 else None
    if one_of_each is not None:
        return one_of_each
    signs = np.random.default_rng(0).choice([-1.0, 1.0], (n_items, 32)) / np.sqrt(32)
    out: Floats = signs.astype(np.float32)
    return out
