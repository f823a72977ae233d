"""This module holds one protocol for every scorer: exact ranks of every test pair in the full catalogue.

Rank of a pair = how many other items score at least as much as its own, so ties count against the
scorer (promise 1 of the design). With `seen`, items that the user had in training leave the catalogue;
a test pair whose own item is among them can't be hit and ranks last.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from butaca.checks import of_kind, several, shown, whole_number
from butaca.cores import cores, one_blas_thread
from butaca.data.dataset import Dataset
from butaca.data.histories import Histories
from butaca.errors import SettingError
from butaca.evaluate.metrics import PER_USER, WEIGHTED, PerUser, in_batch_loss, top_k_accuracy
from butaca.index.selection import best_rows
from butaca.types import Bools, Codes, Floats, Ints, Scorer

#: The k of the notebook's cell 106.
NOTEBOOK_K = (1, 5, 10, 50, 100)

#: Scores held at once: 4 M floats, 16 MB.
CHUNK = 1 << 22

#: From so many chunks on, several are ranked at the same time.
THREADED_CHUNKS = 8

#: A user with at most a pair for so many items is ranked by counting what scores at least as much as each;
#: with more pairs, or fewer items, sorting takes less time.
ITEMS_PER_COUNT = 500


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Holds the ranks of all test pairs, and what follows from them.

    Attributes:
        ranks: int64 [P], in the order of the test set; 0 is best, n_items is "can't be hit".
        n_items: size of the catalogue.
        seen_left_out: whether items seen in training were left out.
        loss: the in-batch loss of the last batch, as Keras prints it; None if not asked for.
        user: int32 [P], user code of each pair.
        item: int32 [P], item code of each pair.
        lists: int32 [U', k], the first k items of each of `users`, best first, equal scores by code,
            -1 where fewer are left; None if not asked for.
        weight: float32 [P], how much each pair counts in the weighted metrics; None: all the same.
    """

    ranks: Ints
    n_items: int
    seen_left_out: bool
    loss: float | None
    user: Codes
    item: Codes
    lists: Codes | None = None
    weight: Floats | None = None

    def top_k(self, k: int) -> float:
        """Returns top-k categorical accuracy: the share of test pairs, repeats included, with rank < k."""
        return top_k_accuracy(self.ranks, self._cut(k))

    def metrics(self, k: Sequence[int] = NOTEBOOK_K) -> dict[str, float]:
        """Returns {"factorized_top_k/top_1_categorical_accuracy": ..., "loss": ...}, the notebook's names."""
        out = {f"factorized_top_k/top_{n}_categorical_accuracy": self.top_k(n) for n in several("k", k)}
        if self.loss is not None:
            out |= {"loss": self.loss, "regularization_loss": 0.0, "total_loss": self.loss}
        return out

    @cached_property
    def users(self) -> Codes:
        """Returns the users with test pairs, ascending, int32 [U']: the rows of `per_user` and of `lists`."""
        return np.unique(self.user)

    def metric(self, name: str, k: int | None = 10) -> float:
        """Returns one figure: "top_k_accuracy" over pairs, or the mean over `users` of a per-user metric.

        Args:
            name: "top_k_accuracy" or one of `metrics.PER_USER`: "hit_rate", "precision", "recall",
                "ndcg", "map", "mrr"; by the weights of the pairs, "weighted_top_k_accuracy" and those of
                `metrics.WEIGHTED`: "weighted_recall", "weighted_ndcg".
            k: where lists are cut; None cuts nothing.
        """
        if of_kind("A metric", name, kind=str) == "top_k_accuracy":
            return self.top_k(self._cut(k))
        if name == "weighted_top_k_accuracy":
            return (
                float(np.average(self.hits(self._cut(k)), weights=self._gain)) if len(self.ranks) else np.nan
            )
        values = self.per_user(name, k)
        return float(values.mean()) if len(values) else float("nan")

    def per_user(self, name: str, k: int | None = 10) -> PerUser:
        """Returns a metric of each of `users`, float64 [U'].

        "top_k_accuracy" is the share of the user's own pairs; the metric itself weighs users by their
        pairs. All other metrics count a pair that the test set repeats once.

        Raises:
            SettingError: no metric has that name, or k is below 1.
        """
        k = self._cut(k)
        of_kind("A metric", name, kind=str)
        if name == "top_k_accuracy":
            hits, pairs = self.hits_per_user(k)
            return hits / pairs
        if name in WEIGHTED:
            once = self._distinct
            return WEIGHTED[name](
                self.ranks[once], self._row[once], n=len(self.users), k=k, gain=self._gain[once]
            )
        if name not in PER_USER:
            raise SettingError(
                f"A metric is top_k_accuracy or one of {', '.join([*PER_USER, *WEIGHTED])}",
                repr(name),
                "Correct the name",
            )
        return PER_USER[name](self.ranks[self._distinct], self._row[self._distinct], n=len(self.users), k=k)

    def hits(self, k: int) -> Bools:
        """Returns which pairs are among the first k, [P]."""
        return self.ranks < self._cut(k)

    def hits_per_user(self, k: int) -> tuple[PerUser, PerUser]:
        """Returns pairs hit and pairs of each of `users`, repeats included, float64 [U'] each."""
        n = len(self.users)
        hits = np.bincount(self._row, self.hits(k), minlength=n).astype(np.float64)
        return hits, np.bincount(self._row, minlength=n).astype(np.float64)

    def only(self, pairs: Bools) -> Evaluation:
        """Returns the ranks of some of the pairs [P]: relevant are then only a user's items among them."""
        chosen = replace(
            self,
            ranks=self.ranks[pairs],
            user=self.user[pairs],
            item=self.item[pairs],
            loss=None,
            weight=None if self.weight is None else self.weight[pairs],
        )
        if self.lists is None:
            return chosen
        return replace(chosen, lists=self.lists[np.searchsorted(self.users, chosen.users)])

    @cached_property
    def _gain(self) -> PerUser:
        """Returns how much each pair counts, [P]."""
        return np.ones(len(self.ranks)) if self.weight is None else self.weight.astype(np.float64)

    @cached_property
    def _row(self) -> Ints:
        """Returns the row of each pair's user in `users`, [P]."""
        return np.searchsorted(self.users, self.user)

    @cached_property
    def _distinct(self) -> Ints:
        """Returns the pairs without repeats: the first of each user and item."""
        first: Ints = np.unique(self._row * self.n_items + self.item, return_index=True)[1]
        return first

    def _cut(self, k: int | None) -> int:
        if k is not None and whole_number("k", k, least=None) < 1:
            raise SettingError("A list is cut at one item or more", f"k={k}", "Pass k=10, or None")
        return self.n_items if k is None else min(k, self.n_items)


def evaluate_scorer(
    scorer: Scorer,
    test: Dataset,
    *,
    seen: Histories | None = None,
    loss_batch: int | None = None,
    lists: int = 0,
) -> Evaluation:
    """Ranks every test pair.

    Args:
        scorer: codes must be those of `test`.
        test: pairs to find.
        seen: training histories to leave out; None leaves nothing out, as the notebook.
        loss_batch: also compute the loss of the last batch of this many pairs (notebook: 4096).
        lists: also keep the first so many items of every test user, for what lies beyond accuracy.
    """
    of_kind("test", test, kind=Dataset, cure="Read one with read_test")
    if not isinstance(scorer, Scorer):
        raise SettingError("A scorer has n_items and score", shown(scorer), "Pass a fitted model or baseline")
    if seen is not None:
        of_kind("seen", seen, kind=Histories, cure="Make it with Histories.of(train)")
    if loss_batch is not None:
        whole_number("loss_batch", loss_batch)
    whole_number("lists", lists, least=0)
    if scorer.n_items != len(test.items):
        raise SettingError(
            "A scorer is judged on the catalogue that it scores",
            f"a scorer of {scorer.n_items} items and a test set over {len(test.items)}",
            "Recode the test set with the model's entities (Dataset.recoded)",
        )
    ranks, top = rank_pairs(scorer, user=test.user, item=test.item, seen=seen, k=min(lists, scorer.n_items))
    loss = None
    if loss_batch is not None:
        last = len(test) - ((len(test) - 1) // loss_batch) * loss_batch if len(test) else 0
        users, row = np.unique(test.user[len(test) - last :], return_inverse=True)
        loss = in_batch_loss(scorer.score(users), user=row, item=test.item[len(test) - last :])
    return Evaluation(
        ranks,
        scorer.n_items,
        seen is not None,
        loss,
        test.user,
        test.item,
        top if lists else None,
        test.weight,
    )


def top_lists(scorer: Scorer, users: Codes, *, seen: Histories | None, k: int) -> Codes:
    """Returns the first k items of each user, by score and then by code: codes [B] -> int32 [B, min(k, N)].

    Args:
        scorer: whose scores.
        users: codes, in any order.
        seen: items to leave out; None leaves nothing out.
        k: length of the lists; -1 fills those for which fewer items are left.
    """
    k = min(k, scorer.n_items)
    out = np.empty((len(users), k), dtype=np.int32)
    step = max(CHUNK // max(scorer.n_items, 1), 1)
    for at in range(0, len(users), step):
        scores, _ = _scores(scorer, users[at : at + step], seen)
        out[at : at + step] = _best(scores, k)
    return out


def rank_pairs(
    scorer: Scorer, *, user: Codes, item: Codes, seen: Histories | None, k: int
) -> tuple[Ints, Codes]:
    """Returns exact ranks of pairs [P], and the first k items of their users, ascending [U', k].

    Users are scored once each, in chunks that bound memory, several chunks at the same time where there
    are many. A score that is not a number ranks last.
    """
    n = scorer.n_items
    ranks = np.empty(len(user), dtype=np.int64)
    order = np.argsort(user, kind="stable")
    users, start = np.unique(user[order], return_index=True)
    lists = np.empty((len(users), k), dtype=np.int32)
    bounds = np.append(start, len(user))
    step = max(CHUNK // max(n, 1), 1)

    def rank_chunk(at: int) -> None:
        """Fills in the ranks and lists of `step` users."""
        chunk = users[at : at + step]
        rows = order[bounds[at] : bounds[min(at + step, len(users))]]
        row_of = np.searchsorted(chunk, user[rows])
        scores, hidden = _scores(scorer, chunk, seen)
        own = scores[row_of, item[rows]]
        pair_start = np.searchsorted(row_of, np.arange(len(chunk) + 1))
        found = np.empty(len(rows), dtype=np.int64)
        for r in range(len(chunk)):
            a, b = pair_start[r], pair_start[r + 1]
            found[a:b] = _at_least(scores[r], own[a:b]) - 1
        if hidden is not None:
            found[hidden[row_of, item[rows]]] = n
        ranks[rows] = found
        if k:
            lists[at : at + step] = _best(scores, k)

    chunks = range(0, len(users), step)
    if len(chunks) < THREADED_CHUNKS:
        for at in chunks:
            rank_chunk(at)
    else:  # numpy sorts and multiplies beside other threads; every chunk fills places of its own
        scorer.score(users[:1])  # what a scorer prepares at its first answer, it prepares once
        # One core a chunk: products that took all cores each would spend most of their time waiting.
        with one_blas_thread(), ThreadPoolExecutor(cores()) as threads:
            for _ in threads.map(rank_chunk, chunks):
                pass
    return ranks, lists


def _scores(scorer: Scorer, users: Codes, seen: Histories | None) -> tuple[Floats, Bools | None]:
    """Returns scores [B, N], -inf for what is no number or left out, and what was left out [B, N]."""
    scores = scorer.score(users)
    bad = np.isnan(scores)
    if bad.any():
        scores = np.where(bad, np.float32(-np.inf), scores)
    if seen is None:
        return scores, None
    # A copy, since a scorer may return what it keeps; by rows, where one may return a row for all users.
    scores = np.array(scores, order="C")
    row, item = seen.gone(users)
    scores[row, item] = -np.inf
    hidden = np.zeros(scores.shape, dtype=bool)
    hidden[row, item] = True
    return scores, hidden


def _at_least(scores: Floats, own: Floats) -> Ints:
    """Returns how many scores [N] are at least each of a user's own [P'].

    Counted one by one for a few pairs, else by binary search in the sorted scores.
    """
    if len(own) * ITEMS_PER_COUNT <= len(scores):
        return np.array([np.count_nonzero(scores >= score) for score in own], dtype=np.int64)
    found: Ints = len(scores) - np.searchsorted(np.sort(scores), own, side="left")
    return found


def _best(scores: Floats, k: int) -> Codes:
    """Returns the k best items of each row, ties by code, -1 where fewer are left: -> [B, k]."""
    items, values = best_rows(scores, k)
    return np.where(values > -np.inf, items, -1).astype(np.int32)
