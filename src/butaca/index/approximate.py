"""This module finds top-k nearly, for about a million items and more: four-bit codes, then exact scores.

faiss scans the codes (codes.py) and hands over the `OVERSAMPLE` times k items that look best; their scores
are computed from the float32 vectors, and the k best of those come back. So scores are exact, and the order
too; what may go wrong is that an item that belongs in a list did not look well enough. A filter leaves as
many candidates to choose from, or the answer is exact.

The scan is a product quantiser of one number per code (Jégou et al. 2011), its tables of products held in
registers (André et al. 2017); what it needs of faiss is IndexPQFastScan (scan.py).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from butaca.index.codes import Codebook
from butaca.index.interface import TopK, check
from butaca.index.scan import PART, Scan
from butaca.index.selection import best
from butaca.model.pairs import PairTerms, places_in
from butaca.types import Bools, Codes, Floats, Ints

#: Candidates for each item of a list, and the least of them.
OVERSAMPLE, LEAST = 6, 300

#: Times as many candidates as a filter makes needed are fetched: what it leaves may be unevenly spread.
SLACK = 1.5

#: Share of the catalogue that may be fetched; where more would be needed, the answer is exact.
MOST = 1 / 50

#: Vectors scored at once where the answer is exact, and the share below which they are gathered first.
BLOCK, FEW = 1 << 16, 0.25


class ApproximateIndex:
    """Scans four bits of each number, and scores the best candidates exactly.

    Args:
        vectors: float32 [N, d]; kept, not copied.
        bias: a term of each item alone, float32 [N], or None.
        oversample: candidates scored exactly for each item of a list.
        least: the least candidates.
        seed: of the rotation; the same seed and vectors, the same lists.
        part: codes that a core scans at once.

    Raises:
        SettingError: faiss is not installed; a part of no code.
    """

    approximate = True

    def __init__(
        self,
        vectors: Floats,
        bias: Floats | None = None,
        *,
        oversample: int = OVERSAMPLE,
        least: int = LEAST,
        seed: int = 0,
        part: int = PART,
    ) -> None:
        self.vectors = np.ascontiguousarray(vectors, dtype=np.float32)
        self.bias = None if bias is None else np.asarray(bias, dtype=np.float32)
        self.oversample, self.least = oversample, least
        self._book = Codebook.fit(self.vectors, self.bias, seed=seed)
        self._scan = Scan(self._book, self._book.codes(self.vectors, self.bias), part=part)

    def __len__(self) -> int:
        return len(self.vectors)

    def scores(self, queries: Floats, terms: PairTerms | None = None) -> Floats:
        """Returns the exact scores of all items, [B, d] and what is added to single ones -> [B, N]."""
        out: Floats = queries @ self.vectors.T
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
        """Returns the k best items of each query, of those that look best in four bits.

        Args:
            queries: float32 [B, d].
            k: at least 1; more than N gives N.
            exclude: for each query the item codes to leave out.
            allowed: items that may come back for any query, [N]; None: all. Where they are few, or few of
                them are among those that look best, the answer is exact.
            terms: what is added to single scores, or None; items with a term are candidates, whatever their
                codes say.

        Raises:
            SettingError: k below 1, or as many exclusions as queries are not given.
        """
        check(queries, k, exclude=exclude)
        n, k = len(self), min(k, len(self))
        needed = max(self.oversample * k, self.least)
        left = n if allowed is None else int(np.count_nonzero(allowed))
        share = left / n if n else 0.0
        fetched = needed if allowed is None else int(SLACK * needed / max(share, 1 / n))
        fetched += max(map(len, exclude), default=0) if exclude is not None else 0
        items = np.full((len(queries), k), -1, dtype=np.int32)
        scores = np.full((len(queries), k), -np.inf, dtype=np.float32)
        near: Ints | None = None
        if len(queries) and fetched <= max(n * MOST, self.least):
            near = self._scan.search(self._book.turned(queries), fetched)
        approximate = False
        for row, query in enumerate(queries):
            out = None if exclude is None or not len(exclude[row]) else exclude[row]
            own = None if terms is None else terms.rows(row, row + 1)
            codes = None if near is None else self._among(near[row], out, allowed)
            if codes is None or len(codes) < needed:
                codes = self._all(out, allowed)
            else:
                approximate = True
                if own is not None:
                    codes = self._among(np.union1d(codes, own.item), out, allowed)
            found = self._of(query, codes)
            if own is not None:
                _add(own, codes, found)
            places, values = best(found, min(k, n if codes is None else len(codes)))
            items[row, : len(places)] = places if codes is None else codes[places]
            scores[row, : len(places)] = values
        return TopK(items, scores, approximate)

    def _among(self, near: Ints, exclude: Codes | Ints | None, allowed: Bools | None) -> Ints:
        """Returns the candidates that may come back, by code."""
        codes = np.sort(near[near >= 0])
        if allowed is not None:
            codes = codes[allowed[codes]]
        if exclude is not None:
            codes = codes[~np.isin(codes, exclude)]
        return codes

    def _all(self, exclude: Codes | Ints | None, allowed: Bools | None) -> Ints | None:
        """Returns all items that may come back, by code; None: the whole catalogue."""
        if exclude is None and allowed is None:
            return None
        mask = np.ones(len(self), dtype=bool) if allowed is None else allowed.copy()
        if exclude is not None:
            mask[exclude] = False
        return np.flatnonzero(mask)

    def _of(self, query: Floats, codes: Ints | None) -> Floats:
        """Returns the exact scores of some items, or of all: [d], [C] -> [C]."""
        if codes is None or len(codes) > FEW * len(self):
            every = self.vectors @ query
            out: Floats = every if codes is None else every[codes]
        else:
            out = np.empty(len(codes), dtype=np.float32)
            for at in range(0, len(codes), BLOCK):
                # No BLAS: after a product its threads spin, where the next scan would be.
                out[at : at + BLOCK] = np.einsum("cd,d->c", self.vectors[codes[at : at + BLOCK]], query)
        if self.bias is not None:
            out += self.bias if codes is None else self.bias[codes]
        return out


def _add(terms: PairTerms, codes: Ints | None, scores: Floats) -> None:
    """Adds the terms of one query to the scores of some items [C], or of all, in place."""
    if codes is None:
        terms.add_to(scores[None])
        return
    at, there = places_in(codes, terms.item)
    np.add.at(scores, at, terms.value[there])
