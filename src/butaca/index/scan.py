"""This module runs faiss's four-bit scan over parts of a catalogue, a core each."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from butaca.cores import cores
from butaca.errors import SettingError
from butaca.extras import needed
from butaca.index.codes import LEVELS, Codebook
from butaca.types import Floats, Ints

#: Codes in a part. Parts depend on the catalogue alone: the same lists on any number of cores.
PART = 1 << 19


class Scan:
    """Finds what looks best of a catalogue, from its codes.

    faiss scans for one query on one core. So parts of the catalogue are scanned side by side, the first by
    the caller, who need not be woken, and each with faiss's own threading off: its waiting threads would
    keep a core busy.

    Args:
        book: how vectors became codes.
        codes: uint8 [N, M / 2].
        part: codes in a part.

    Raises:
        SettingError: faiss is not installed; a part of no code.
    """

    def __init__(self, book: Codebook, codes: NDArray[np.uint8], *, part: int = PART) -> None:
        if part < 1:
            raise SettingError("A part has at least one code", f"part={part}", f"Leave it at {PART:,}")
        starts = range(0, max(len(codes), 1), part)
        self._start = np.array(starts, dtype=np.int64)
        self._parts = [_fast_scan(book, codes[at : at + part]) for at in starts]
        self._pool: tuple[int, ThreadPoolExecutor] | None = None

    def search(self, turned: Floats, n: int) -> Ints:
        """Returns the n codes that look best to each turned query [B, M], in order: [B, n], -1: fewer."""
        if len(self._parts) == 1:
            alone: Ints = _alone(self._parts[0], turned, n)[1]
            return alone
        threads = self._threads()
        others = [threads.submit(_alone, part, turned, n) for part in self._parts[1:]]
        found = [_alone(self._parts[0], turned, n), *(other.result() for other in others)]
        looks = np.concatenate([scores for scores, _ in found], axis=1)
        codes = np.concatenate([at for _, at in found], axis=1)
        codes += np.where(codes >= 0, np.repeat(self._start, n), 0)
        best = np.argsort(-looks, axis=1, kind="stable")[:, :n]  # merges: each part is in order
        out: Ints = np.take_along_axis(codes, best, axis=1)
        return out

    def _threads(self) -> ThreadPoolExecutor:
        """Returns threads of this process: none follow a fork, and what waits for them would wait forever."""
        pool, process = self._pool, os.getpid()
        if pool is None or pool[0] != process:
            workers = min(len(self._parts), cores()) - 1
            pool = self._pool = process, ThreadPoolExecutor(max(workers, 1), "butaca-scan")
        return pool[1]


def _alone(part: Any, turned: Floats, n: int) -> tuple[Floats, Ints]:
    """Finds scores and codes of a part, without further threads."""
    library = _faiss()
    before = library.omp_get_max_threads()  # a thread's own setting
    library.omp_set_num_threads(1)
    try:
        found: tuple[Floats, Ints] = part.search(turned, n)
    finally:
        library.omp_set_num_threads(before)
    return found


def _faiss() -> Any:
    with needed("The approximate index"):
        import faiss
    return faiss  # its own annotations know one constructor of several


def _fast_scan(book: Codebook, codes: NDArray[np.uint8]) -> Any:
    """Makes faiss's scan over codes made here."""
    library = _faiss()
    m = len(book.levels)
    plain = library.IndexPQ(m, m, LEVELS.bit_length() - 1, library.METRIC_INNER_PRODUCT)
    library.copy_array_to_vector(np.ascontiguousarray(book.levels).ravel(), plain.pq.centroids)
    library.copy_array_to_vector(codes.ravel(), plain.codes)
    plain.is_trained, plain.ntotal = True, len(codes)
    return library.IndexPQFastScan(plain)
