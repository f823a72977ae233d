"""This module looks beyond accuracy: what top-k lists offer, to how many, and how alike they are.

Lists are int32 [U, k], a user a row, best first, -1 where fewer than k items were left
(`Evaluation.lists`, `protocol.top_lists`). `share` is float64 [N]: the share of the training users,
those with a history, that had each item (`item_shares`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from butaca.data.histories import Histories
from butaca.errors import SettingError
from butaca.types import Codes, Floats, Ints

if TYPE_CHECKING:
    from scipy import sparse

Shares = NDArray[np.float64]

#: Pairs of listed items looked at together, and entries of their users; bits that say at once who had which
#: of them; words of those bits that are compared at a time, a megabyte that stays in the cache.
ENTRIES, BITS, WORDS = 1 << 22, 1 << 30, 1 << 17


def item_shares(seen: Histories, n_items: int) -> Shares:
    """Returns the share of the users with a history that had each item, float64 [N].

    >>> seen = Histories.from_pairs(np.array([0, 1, 1]), np.array([0, 0, 2]), n_users=3)
    >>> item_shares(seen, 3)  # two users have a history; both had item 0
    array([1. , 0. , 0.5])
    """
    active = max(int(np.count_nonzero(seen.lengths)), 1)
    return np.bincount(seen.items, minlength=n_items) / active


def exposure(lists: Codes, n_items: int) -> Ints:
    """Returns how many lists hold each item, int64 [N]."""
    return np.bincount(lists[lists >= 0], minlength=n_items)


def coverage(lists: Codes, n_items: int) -> float:
    """Returns the share of the catalogue that a list holds (catalogue coverage, Ge et al. 2010).

    >>> coverage(np.array([[0, 1], [1, 2]]), n_items=4)
    0.75
    """
    return float(np.count_nonzero(exposure(lists, n_items)) / max(n_items, 1))


def novelty(lists: Codes, share: Shares, *, n_users: int) -> float:
    """Returns the mean self-information of the listed items in bits: -log2 share (Zhou et al. 2010).

    0 if everyone has had all that is offered. An item that nobody had counts as had by one of the
    n_users, so it adds log2(n_users).

    >>> novelty(np.array([[0, 1]]), np.array([0.5, 0.125]), n_users=8)  # (1 + 3) / 2
    2.0
    """
    offered = share[lists[lists >= 0]]
    return _mean(-np.log2(np.maximum(offered, 1 / max(n_users, 1))))


def popularity_share(lists: Codes, share: Shares) -> float:
    """Returns the mean share of users that had a listed item (average popularity, Abdollahpouri 2019).

    >>> popularity_share(np.array([[0, 1], [0, -1]]), np.array([0.5, 0.125]))  # (.5 + .125 + .5) / 3
    0.375
    """
    return _mean(share[lists[lists >= 0]])


def history_popularity_share(seen: Histories, users: Codes, *, share: Shares) -> float:
    """Returns the mean share of users that had an item of a history: over each history, then over users.

    Users without a history count for nothing; each other counts once, as in lists of equal length.
    """
    row, item = seen.pairs(users)
    length = np.bincount(row, minlength=len(users))
    total = np.bincount(row, share[item], minlength=len(users))
    return _mean(total[length > 0] / length[length > 0])


def gini(lists: Codes, n_items: int) -> float:
    """Returns how unequally items are shown: Gini index of exposure, 0 equal, (N - 1) / N one item only.

        sum over items, by ascending exposure x_1 .. x_N, of (2 j - N - 1) x_j  /  (N sum of x)

    Items that no list holds are part of it (Fleder and Hosanagar 2009).

    >>> gini(np.array([[0], [0], [1], [1]]), n_items=4)  # x = 0, 0, 2, 2: (1 * 2 + 3 * 2) / (4 * 4)
    0.5
    """
    x = np.sort(exposure(lists, n_items))
    weights = 2 * np.arange(1, n_items + 1) - n_items - 1
    return float(weights @ x / (n_items * x.sum())) if x.any() else float("nan")


def overlap(lists: Codes) -> float:
    """Returns how much of a list stands in another user's list too, in the mean over all pairs of users.

        sum over items of c (c - 1)  /  (U (U - 1) mean length),   c = lists that hold the item

    Exact for all pairs, by counting. 1 if everyone gets the same list, 0 if no two share an item.
    Two lists of length k with this share s have a Jaccard index of s / (2 - s).

    >>> overlap(np.array([[0, 1], [0, 2], [0, 1]]))  # pairs share 1, 2 and 1 of 2: 4 / 6
    0.6666666666666666
    """
    n, places = len(lists), int(np.count_nonzero(lists >= 0))
    if n < 2 or not places:
        return float("nan")
    c = exposure(lists, int(lists.max()) + 1).astype(np.float64)
    return float((c * (c - 1)).sum() / ((n - 1) * places))


def intra_list_similarity(lists: Codes, vectors: Floats | sparse.csr_array) -> float:
    """Returns the mean cosine of two items of a list, in the mean over users (Ziegler et al. 2005).

    The cosine of rows of `vectors` [N, d], or of who had the items (`user_columns`, sparse 0/1
    [N, users]): co-occurrence. Lists of fewer than two items count for nothing. By counting:
    the squared length of a list's sum of unit vectors is the sum of all its n x n cosines.

    >>> films = np.array([[1, 0], [2, 0], [0, 1]], dtype=np.float32)
    >>> intra_list_similarity(np.array([[0, 1], [0, 2]]), films)  # cosines 1 and 0
    0.5

    Raises:
        SettingError: a sparse matrix that holds something else than ones.
    """
    from scipy import sparse  # here: every command imports this module, and few measure a list

    k = lists.shape[1]
    if isinstance(vectors, sparse.csr_array):
        if not vectors.has_canonical_format:  # one who stands twice in a row becomes a two
            vectors = vectors.copy()
            vectors.sum_duplicates()
        if (vectors.data != 1).any():
            raise SettingError(
                "A sparse matrix says who had an item, by ones",
                f"{vectors!r} with other values",
                "Use user_columns, or dense vectors",
            )
        parts = [_of_sets(lists[at], vectors) for at in _stretches(len(lists), k * k)]
    else:
        parts = [
            _of_vectors(lists[at], vectors) for at in _stretches(len(lists), k * max(k, vectors.shape[1]))
        ]
    return _mean(np.concatenate(parts)) if parts else float("nan")


def _stretches(n: int, each: int) -> Iterator[slice]:
    """Yields stretches of n lists, of at most ENTRIES numbers together where a list takes `each`."""
    step = max(ENTRIES // max(each, 1), 1)
    return (slice(a, a + step) for a in range(0, n, step))


def _of_vectors(lists: Codes, vectors: Floats) -> NDArray[np.float64]:
    """Returns each list's mean cosine, of two items or more; an item without a length is like no other."""
    norms = np.linalg.norm(vectors, axis=1).astype(np.float64)
    there = lists >= 0
    own = there & (norms > 0)[lists]  # an item's cosine with itself
    scale = own / np.where(own, norms[lists], 1.0)
    total = np.einsum("uk,ukd->ud", scale, vectors[lists])
    n = there.sum(axis=1)
    several = n > 1
    others = np.square(total).sum(axis=1) - own.sum(axis=1)  # all cosines but an item's with itself
    mean: NDArray[np.float64] = others[several] / (n * (n - 1))[several]
    return mean


def _of_sets(lists: Codes, had: sparse.csr_array) -> NDArray[np.float64]:
    """Returns each list's mean cosine by who had the items [N, users]; each pair is compared once."""
    first, second = np.triu_indices(lists.shape[1], 1)
    a, b = lists[:, first].astype(np.int64), lists[:, second].astype(np.int64)
    row, place = np.nonzero((a >= 0) & (b >= 0))
    a, b = a[row, place], b[row, place]
    pairs, at = np.unique(np.minimum(a, b) * had.shape[0] + np.maximum(a, b), return_inverse=True)
    a, b = np.divmod(pairs, had.shape[0])
    size = np.diff(had.indptr).astype(np.float64)
    cosine = _shared(had, a, b) / np.sqrt(np.maximum(size[a] * size[b], 1.0))
    n = np.bincount(row, minlength=len(lists))
    total = np.bincount(row, cosine[at], minlength=len(lists))
    several = n > 0
    return np.divide(total[several], n[several], dtype=np.float64)


def _shared(had: sparse.csr_array, a: Ints, b: Ints) -> Ints:
    """Returns how many users had both items of each pair, [P], [P] -> int64 [P].

    A bit for each user: and-ing two rows of them takes a sixty-fourth of their users' number of steps.
    """
    items = np.unique(np.append(a, b))
    left, right = np.searchsorted(items, a), np.searchsorted(items, b)
    by_user = had[items].tocsc()
    n_users = had.shape[1]
    words = -(-n_users // 64)
    most = min(BITS // 64 // max(len(items), 1), words * ENTRIES // max(by_user.nnz, 1))
    words = max(min(words, most), 1)  # of a block of users, by their bits and by the entries behind them
    step = max(WORDS // words, 1)  # pairs at once
    found = np.zeros(len(a), dtype=np.int64)
    for start in range(0, n_users, 64 * words):
        end = min(start + 64 * words, n_users)
        user = np.repeat(np.arange(end - start), np.diff(by_user.indptr[start : end + 1]))
        item = by_user.indices[by_user.indptr[start] : by_user.indptr[end]].astype(np.int64)
        bits = np.zeros(len(items) * words, dtype=np.uint64)
        np.add.at(bits, item * words + user // 64, np.uint64(1) << (user % 64).astype(np.uint64))
        bits = bits.reshape(len(items), words)
        for at in range(0, len(a), step):
            both = bits[left[at : at + step]] & bits[right[at : at + step]]
            found[at : at + step] += np.bitwise_count(both).sum(axis=1, dtype=np.int64)
    return found


def user_columns(seen: Histories, n_items: int) -> sparse.csr_array:
    """Returns who had each item, sparse 0/1 [N, users], whose rows have the cosines of co-occurrence."""
    from scipy import sparse

    ones = np.ones(len(seen.items), dtype=np.int8)
    return sparse.csr_array(
        sparse.csr_array((ones, seen.items, seen.start), shape=(len(seen), n_items)).T.tocsr()
    )


@dataclass(frozen=True)
class Beyond:
    """Holds what lies beyond accuracy in the lists of all test users.

    Attributes:
        k: length of the lists.
        coverage: share of the catalogue in at least one list.
        novelty: mean -log2 of the share of users that had an item, bits.
        popularity_share: mean share of users that had an offered item.
        history_popularity_share: the same of what these users chose themselves.
        gini: of exposure; 0 is equal.
        intra_list_similarity: mean cosine within a list, of co-occurrence in training: the same
            measure for every scorer, whatever vectors it has.
        overlap: share of a list that another user's holds, mean over all pairs of users.
    """

    k: int
    coverage: float
    novelty: float
    popularity_share: float
    history_popularity_share: float
    gini: float
    intra_list_similarity: float
    overlap: float


def beyond_accuracy(
    lists: Codes,
    users: Codes,
    *,
    seen: Histories,
    n_items: int,
    k: int = 10,
    columns: sparse.csr_array | None = None,
) -> Beyond:
    """Returns every measure of this module for the first k of the lists [U, >= k] of `users` [U].

    Args:
        lists: of at least k items; a catalogue smaller than k gives shorter ones.
        users: codes of their users.
        seen: training histories.
        n_items: size of the catalogue.
        k: how much of the lists to look at.
        columns: `user_columns` of the same, for those who ask for several scorers.
    """
    lists = lists[:, :k]
    share = item_shares(seen, n_items)
    return Beyond(
        lists.shape[1],
        coverage(lists, n_items),
        novelty(lists, share, n_users=int(np.count_nonzero(seen.lengths))),
        popularity_share(lists, share),
        history_popularity_share(seen, users, share=share),
        gini(lists, n_items),
        intra_list_similarity(lists, user_columns(seen, n_items) if columns is None else columns),
        overlap(lists),
    )


def _mean(values: NDArray[np.float64]) -> float:
    return float(values.mean()) if len(values) else float("nan")
