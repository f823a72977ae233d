"""One protocol for every scorer: exact ranks of every test pair in the full catalogue.

Rank of a pair = how many other items score at least as much as its own, so ties count against the
scorer (promise 1 of the design). With `seen`, items that the user had in training leave the catalogue;
a test pair whose own item is among them can't be hit and ranks last.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from butaca.data.dataset import Dataset
from butaca.data.histories import Histories
from butaca.errors import SettingError
from butaca.evaluate.metrics import in_batch_loss, top_k_accuracy
from butaca.types import Codes, Ints, Scorer

#: The k of the notebook's cell 106.
NOTEBOOK_K = (1, 5, 10, 50, 100)

#: Scores held at once: 4 M floats, 16 MB.
CHUNK = 1 << 22


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Ranks of all test pairs, and what follows from them.

    Attributes:
        ranks: int64 [P], in the order of the test set; 0 is best, n_items is "can't be hit".
        n_items: size of the catalogue.
        seen_left_out: whether items seen in training were left out.
        loss: the in-batch loss of the last batch, as Keras prints it; None if not asked for.
    """

    ranks: Ints
    n_items: int
    seen_left_out: bool
    loss: float | None = None

    def top_k(self, k: int) -> float:
        """Top-k categorical accuracy."""
        return top_k_accuracy(self.ranks, k)

    def metrics(self, k: Sequence[int] = NOTEBOOK_K) -> dict[str, float]:
        """Under the notebook's names: {"factorized_top_k/top_1_categorical_accuracy": ..., "loss": ...}."""
        out = {f"factorized_top_k/top_{n}_categorical_accuracy": self.top_k(n) for n in k}
        if self.loss is not None:
            out |= {"loss": self.loss, "regularization_loss": 0.0, "total_loss": self.loss}
        return out


def evaluate_scorer(
    scorer: Scorer,
    test: Dataset,
    seen: Histories | None = None,
    loss_batch: int | None = None,
) -> Evaluation:
    """Rank every test pair.

    Args:
        scorer: codes must be those of `test`.
        test: pairs to find.
        seen: training histories to leave out; None leaves nothing out, as the notebook.
        loss_batch: also compute the loss of the last batch of this many pairs (notebook: 4096).
    """
    if scorer.n_items != len(test.items):
        raise SettingError(
            "A scorer is judged on the catalogue that it scores",
            f"a scorer of {scorer.n_items} items and a test set over {len(test.items)}",
            "Recode the test set with the model's entities (Dataset.recoded)",
        )
    ranks = rank_pairs(scorer, test.user, test.item, seen)
    loss = None
    if loss_batch is not None:
        last = len(test) - ((len(test) - 1) // loss_batch) * loss_batch if len(test) else 0
        users, row = np.unique(test.user[len(test) - last :], return_inverse=True)
        loss = in_batch_loss(scorer.score(users), row, test.item[len(test) - last :])
    return Evaluation(ranks, scorer.n_items, seen is not None, loss)


def rank_pairs(scorer: Scorer, user: Codes, item: Codes, seen: Histories | None = None) -> Ints:
    """Exact rank of each pair in the full catalogue: codes [P], [P] -> int64 [P].

    Users are scored once each, in chunks that bound memory, and ranked by binary search in their
    sorted scores: U N log N for any number of pairs. A score that is not a number ranks last.
    """
    n = scorer.n_items
    ranks = np.empty(len(user), dtype=np.int64)
    order = np.argsort(user, kind="stable")
    users, start = np.unique(user[order], return_index=True)
    bounds = np.append(start, len(user))
    step = max(CHUNK // max(n, 1), 1)
    for at in range(0, len(users), step):
        chunk = users[at : at + step]
        rows = order[bounds[at] : bounds[min(at + step, len(users))]]
        scores = scorer.score(chunk)
        bad = np.isnan(scores)
        if bad.any():
            scores = np.where(bad, -np.inf, scores)
        row_of = np.searchsorted(chunk, user[rows])
        own = scores[row_of, item[rows]]
        hidden = np.zeros(len(rows), dtype=bool)
        if seen is not None:
            scores = np.array(scores)  # a scorer may return what it keeps
            seen_row, seen_item = seen.pairs(chunk)
            scores[seen_row, seen_item] = -np.inf
            mask = np.zeros(scores.shape, dtype=bool)
            mask[seen_row, seen_item] = True
            hidden = mask[row_of, item[rows]]
        ordered = np.sort(scores, axis=1)
        pair_start = np.searchsorted(row_of, np.arange(len(chunk) + 1))
        found = np.empty(len(rows), dtype=np.int64)
        for r in range(len(chunk)):
            a, b = pair_start[r], pair_start[r + 1]
            found[a:b] = n - np.searchsorted(ordered[r], own[a:b], side="left") - 1
        ranks[rows] = np.where(hidden, n, found)
    return ranks


def comparison(
    rows: Mapping[str, Evaluation], k: Sequence[int] = NOTEBOOK_K
) -> list[tuple[str, list[float]]]:
    """Rows for a table: (name, top-k accuracies)."""
    return [(name, [e.top_k(n) for n in k]) for name, e in rows.items()]
