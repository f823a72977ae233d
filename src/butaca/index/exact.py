"""This module finds top-k exactly by query . vector + bias, the reference for every other index.

numpy only. Items that are left out are so before the top is taken, and k come back if k exist.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from butaca.checks import array_of, shown
from butaca.errors import SettingError
from butaca.index.interface import TopK, check
from butaca.index.selection import best_of, best_rows
from butaca.model.pairs import PairTerms
from butaca.types import Bools, Codes, Floats, Ints

#: Scores held at once: 4 M floats, 16 MB; queries that share a pass over a large catalogue; and the items of
#: a tile of it, at most: half a megabyte of scores, which a core's own cache holds beside their bias.
CHUNK, ROWS, WIDTH = 1 << 22, 64, 1 << 17

#: The catalogue is padded with zeros to such a multiple: BLAS multiplies the few items beyond one by another
#: kernel, in another order, and equal vectors would not score the same.
EVEN = 64

#: The bits of a float32 that is minus infinity.
LOWEST = int(np.float32(-np.inf).view(np.int32))


class ExactIndex:
    """Scans all vectors of a catalogue for every query.

    They are kept a dimension at a time, [d, N]: one query reads them in long runs, which takes a fifth of
    the time of N short ones at 50,000 items.

    Args:
        vectors: float32 [N, d].
        bias: a term of each item alone, float32 [N], or None.
    """

    approximate = False

    def __init__(self, vectors: Floats, bias: Floats | None = None) -> None:
        given, vectors = vectors, array_of(vectors)
        if vectors.ndim != 2 or vectors.dtype.kind not in "iuf":
            raise SettingError(
                "An index is of vectors, an array [N, d]", shown(given), "Pass one row per item"
            )
        n, d = vectors.shape
        self._n: int = n
        self._columns = np.zeros((d, -(-n // EVEN) * EVEN), dtype=np.float32)
        self._columns[:, :n] = np.asarray(vectors, dtype=np.float32).T
        self.bias = None if bias is None else np.asarray(bias, dtype=np.float32)

    def __len__(self) -> int:
        return self._n

    @property
    def vectors(self) -> Floats:
        """Returns the vectors as given, [N, d]."""
        return self._columns[:, : self._n].T

    def scores(self, queries: Floats, terms: PairTerms | None = None) -> Floats:
        """Returns the scores of all items, [B, d] and what is added to single ones -> [B, N]."""
        out: Floats = (queries @ self._columns)[:, : self._n]
        if self.bias is not None:
            out += self.bias
        if terms is not None:
            terms.add_to(out)
        return out

    def top_k(
        self,
        queries: Floats,
        k: int,
        *,
        exclude: Sequence[Codes | Ints] | None = None,
        allowed: Bools | None = None,
        terms: PairTerms | None = None,
    ) -> TopK:
        """Returns the k best items of each query.

        Equal scores are ordered by item code. Equal vectors have equal scores where BLAS runs in one, two or
        four threads; in three or six, say, they may differ in the last digit, and so they may with
        OpenBLAS's kernel for Haswell, whatever the threads.

        Args:
            queries: float32 [B, d].
            k: at least 1; more than N gives N.
            exclude: for each query the item codes to leave out.
            allowed: items that may come back for any query, [N]; None: all.
            terms: what is added to single scores, or None.

        Raises:
            SettingError: k below 1, or as many exclusions as queries are not given.
        """
        check(queries, k, exclude=exclude)
        k = min(k, len(self))
        barred = None if allowed is None else Barred.but(allowed)
        items = np.empty((len(queries), k), dtype=np.int32)
        scores = np.empty((len(queries), k), dtype=np.float32)
        tiled = len(self) * min(len(queries), ROWS) > CHUNK or len(self) > WIDTH
        step = ROWS if tiled else max(CHUNK // max(len(self), 1), 1)
        for at in range(0, len(queries), step):
            rows = slice(at, at + step)
            asked = _Asked(
                queries[rows],
                k,
                None if exclude is None else exclude[rows],
                barred,
                None if terms is None else terms.rows(at, at + step),
            )
            items[rows], scores[rows] = (self._tiled if tiled else self._whole)(asked)
        items[scores == -np.inf] = -1
        return TopK(items, scores)

    def _whole(self, asked: _Asked) -> tuple[Ints, Floats]:
        """Finds all scores of some queries, then the best of them: items [B, k], scores [B, k]."""
        queries, k, exclude, barred, terms = asked
        block = queries @ self._columns
        self._finish(block, 0, barred)
        if terms is not None:
            terms.add_to(block)
        if exclude is not None:
            rows = np.repeat(np.arange(len(exclude)), [len(e) for e in exclude])
            if len(rows):
                block[rows, np.concatenate(exclude)] = -np.inf
        return best_rows(block, k)

    def _tiled(self, asked: _Asked) -> tuple[Ints, Floats]:
        """Finds what `_whole` does, some items at a time: their scores are in the cache when compared.

        Of a later tile only what beats the k-th best so far is kept: an equal score has the higher code.
        That bound is taken anew each time as many tiles again have been seen.
        """
        queries, k, exclude, barred, terms = asked
        n_rows, n = len(queries), len(self)
        tiles = -(-n // max(min(CHUNK // n_rows, WIDTH), 1))
        width = -(-max(-(-n // tiles), k) // EVEN) * EVEN
        row, code = _pairs(exclude)
        if terms is not None:  # by item; those of one score stay in their order
            terms = terms.by_item()
        buffer = np.empty(n_rows * min(width, self._columns.shape[1]), dtype=np.float32)
        found: list[tuple[Ints, Ints, Floats]] = []
        floor = np.full(n_rows, -np.inf, dtype=np.float32)
        renew = 1
        for tile, a in enumerate(range(0, n, width)):
            b = min(a + width, self._columns.shape[1])
            block = buffer[: n_rows * (b - a)].reshape(n_rows, b - a)
            np.matmul(queries, self._columns[:, a:b], out=block)
            self._finish(block, a, barred)
            if terms is not None:
                lo, hi = np.searchsorted(terms.item, (a, b))
                PairTerms(terms.row[lo:hi], terms.item[lo:hi] - np.int32(a), terms.value[lo:hi]).add_to(block)
            lo, hi = np.searchsorted(code, (a, b))
            block[row[lo:hi], code[lo:hi] - a] = -np.inf
            if tile == 0:
                items, values = best_rows(block, k)
                found.append((np.repeat(np.arange(n_rows), k), items.ravel(), values.ravel()))
                floor = values[:, -1]
                continue
            hit = (block > floor[:, None]).ravel().nonzero()[0]
            if len(hit):
                at, column = np.divmod(hit, b - a)
                found.append((at, column + a, block.ravel()[hit]))
            if tile == renew:
                found = [_merged(found, n_rows, k)]
                floor = found[0][2].reshape(n_rows, k)[:, -1]
                renew = 2 * tile + 1
        _, items, values = _merged(found, n_rows, k)
        return items.reshape(n_rows, k), values.reshape(n_rows, k)

    def _finish(self, block: Floats, a: int, barred: Barred | None) -> None:
        """Turns products of the items from a on [B, width] into scores, -inf where none may come back."""
        items = block[:, : self._n - a]
        if self.bias is not None:
            items += self.bias[a : a + items.shape[1]]
        if barred is not None:
            barred.part(a, a + items.shape[1]).drop(items)
        block[:, items.shape[1] :] = -np.inf


@dataclass(frozen=True, eq=False)
class Barred:
    """Holds items that may not come back, as what their scores are and-ed and or-ed with, int32 [N] each.

    The bits of a score that stays are kept; others become minus infinity. An assignment by a mask of a
    million takes 4 ms, a branch missed for every other item; this takes a tenth.
    """

    keep: NDArray[np.int32]
    put: NDArray[np.int32]

    @classmethod
    def but(cls, allowed: Bools) -> Barred:
        """Bars all items but these [N]."""
        keep = allowed.astype(np.int32)
        np.negative(keep, out=keep)
        return cls(keep, ~keep & LOWEST)

    def part(self, a: int, b: int) -> Barred:
        """Returns what is barred of the items from a to b."""
        return Barred(self.keep[a:b], self.put[a:b])

    def drop(self, scores: Floats) -> None:
        """Sets the scores [B, N] of the barred items to minus infinity, in place."""
        bits = scores.view(np.int32)
        bits &= self.keep
        bits |= self.put


class _Asked(NamedTuple):
    """An _Asked is what `ExactIndex.top_k` takes, of queries that are answered at once."""

    queries: Floats
    k: int
    exclude: Sequence[Codes | Ints] | None
    barred: Barred | None
    terms: PairTerms | None


def _pairs(exclude: Sequence[Codes | Ints] | None) -> tuple[Ints, Ints]:
    """Returns the rows and codes of what is left out, by code."""
    if exclude is None or not any(len(e) for e in exclude):
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    row = np.repeat(np.arange(len(exclude)), [len(e) for e in exclude])
    code = np.concatenate(exclude).astype(np.int64)
    order = np.argsort(code)
    return row[order], code[order]


def _merged(found: list[tuple[Ints, Ints, Floats]], n_rows: int, k: int) -> tuple[Ints, Ints, Floats]:
    """Returns the best k of each row among what was found, in the same form."""
    row, item, value = (np.concatenate(part) for part in zip(*found, strict=True))
    items, values = best_of(row, item, value=value, n_rows=n_rows, k=k)
    return np.repeat(np.arange(n_rows), k), items.ravel(), values.ravel()
