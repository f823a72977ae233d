"""This module finds out whether what a table says of users tells what those without a history would have.

Each user of the slice is answered as if they were new: by what all the others with a history say of such
people (model/newcomers.py). That is compared with the two lists that need no columns: what most people chose,
which somebody new gets otherwise, and what the model gives the average user. Nothing is trained. To be found
is all that a user had, the training pairs too: no list is made of that user's own vector. Where what comes
next is asked, it is what was held out, which is of the time that is asked about.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from butaca.baselines.popularity import counts_of
from butaca.choose.slices import ValidationSlice
from butaca.data.dataset import Dataset
from butaca.data.histories import leaving_lists
from butaca.evaluate.protocol import Evaluation, evaluate_scorer
from butaca.evaluate.verdict import Comparison, verdict
from butaca.model.features import Feature
from butaca.model.newcomers import features_of_users, smoother_of
from butaca.types import Floats, Values

#: What people without a history get where no column is read.
POPULAR, AVERAGE = "popularity", "the average user's"

#: Which of the verdict's measures is told where none says that columns help: NDCG@10.
TOLD = 2

#: Directions of scores in which an error is measured, where the ridge is chosen.
DIRECTIONS = 32


@dataclass(frozen=True)
class ForNewcomers:
    """A ForNewcomers says what users' columns are worth for people without a history.

    Attributes:
        features: of the columns, whether they are used or not.
        used: whether validation says that they help: better than both lists without columns at one of the
            verdict's measures, by more than noise, and worse than neither at any.
        users: that were answered as if they were new.
        told: with the columns beside the better of the two, at the measure that tells it best, else NDCG@10;
            None where too few had a history to say anything.
    """

    features: tuple[Feature, ...]
    used: bool
    users: int
    told: Comparison | None

    @property
    def sentence(self) -> str:
        """Says what becomes of the columns, and by which figures."""
        names = [feature.column for feature in self.features]
        named = ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
        of = self.told
        without = "Someone without a history gets what most people chose."
        if of is None:
            few = "fewer than two of the users that validation asks about have a history to compare by"
            return f"The users' columns {named} are not used: {few}. {without}"
        figures = f"{of.label} {of.ours:.4f} against {of.theirs:.4f} without"
        if not np.isnan(of.low):
            figures += f" ({of.low:+.4f} to {of.high:+.4f})"
        asked = f"of {self.users:,} users, each answered as if new"
        if self.used:
            return f"People without a history get lists by the users' columns {named}: {asked}, {figures}."
        return (
            f"The users' columns {named} are not used, as validation does not say that they help: {asked}, "
            f"{figures}. {without}"
        )

    def as_json(self) -> dict[str, Any]:
        """Returns the comparison for a model's manifest."""
        of = self.told
        figures = (
            {} if of is None else {"with": of.ours, "without": of.theirs, "low": of.low, "high": of.high}
        )
        return {
            "columns": [feature.column for feature in self.features],
            "used": self.used,
            "users": self.users,
            **({} if of is None else {"measure": of.label}),
            **{name: None if np.isnan(figure) else figure for name, figure in figures.items()},
            "sentence": self.sentence,
        }


def for_newcomers(
    part: ValidationSlice, personal: Floats, *, term: Floats, future: bool = False
) -> ForNewcomers | None:
    """Compares lists by users' columns with those without; None where there are no such columns.

    Args:
        part: the slice.
        personal: scores of its users without any term of the items, as the model weighs them [R, N].
        term: of each item [N].
        future: whether what is asked comes after the data.
    """
    users = part.train.users
    features = features_of_users(users)
    lengths = part.lengths
    if not features:
        return None
    if np.count_nonzero(lengths) < 2:
        return ForNewcomers(features, False, len(part.users), None)
    _, smoother, _ = smoother_of(features, users, rows=part.users.astype(np.int64), count=lengths)
    projected = personal @ _directions(personal.shape[1])
    by_columns = smoother.left_out(personal, smoother.ridge(projected.astype(np.float64)))
    share = smoother.weight / smoother.weight.sum()
    average = (share @ personal - share[:, None] * personal) / (1.0 - share)[:, None]
    without = {POPULAR: np.broadcast_to(counts_of(part.train), personal.shape), AVERAGE: average + term}
    test = part.validation if future else _all_of(part)
    seen = leaving_lists(part.seen, again=part.train.again) if future else None

    def judged(scores: Values) -> Evaluation:
        return evaluate_scorer(part.rows(scores.astype(np.float32)), test, seen=seen)

    found = verdict(judged(by_columns + term), {name: judged(scores) for name, scores in without.items()})
    pairs = list(zip(*found.against.values(), strict=True))  # both lists, at each measure
    harder = [min(pair, key=lambda c: c.difference) for pair in pairs]
    won = [one for one, pair in zip(harder, pairs, strict=True) if all(c.word == "beats" for c in pair)]
    lost = any(c.word == "loses" for pair in pairs for c in pair)
    told = max(won, key=lambda c: c.low / c.difference) if won else harder[TOLD]
    return ForNewcomers(features, bool(won) and not lost, len(part.users), told)


def _all_of(part: ValidationSlice) -> Dataset:
    """Returns all that the users of a slice had, before the cut and after it."""
    own = np.flatnonzero(np.isin(part.train.user, part.users))
    held = part.validation
    user = np.concatenate([part.train.user[own], held.user])
    return Dataset(held.users, held.items, user, np.concatenate([part.train.item[own], held.item]))


def _directions(n_items: int) -> Floats:
    """Returns directions of scores [N, t], random where items are many: errors keep their size on average."""
    if n_items <= DIRECTIONS:
        return np.eye(n_items, dtype=np.float32)
    signs = np.random.default_rng(0).choice([-1.0, 1.0], (n_items, DIRECTIONS)) / np.sqrt(DIRECTIONS)
    out: Floats = signs.astype(np.float32)
    return out
