"""This module fits implicit's models: its ALS, its BPR, and its neighbours by BM25."""

from __future__ import annotations

import numpy as np
from implicit.cpu.als import AlternatingLeastSquares  # type: ignore[import-not-found]
from implicit.cpu.bpr import BayesianPersonalizedRanking  # type: ignore[import-not-found]
from implicit.nearest_neighbours import BM25Recommender  # type: ignore[import-not-found]
from scipy import sparse

from butaca.baselines.from_history import FromHistory
from butaca.cores import cores, one_blas_thread
from butaca.data.dataset import Dataset
from butaca.referee.peers.vectors import OfVectors
from butaca.referee.search import Settings
from butaca.types import Floats, Scorer


class ImplicitALS(OfVectors):
    """An ImplicitALS is implicit's AlternatingLeastSquares; new people by its `recalculate_user`."""

    def __init__(self, settings: Settings, seed: int) -> None:
        super().__init__()
        self._model = AlternatingLeastSquares(**settings, random_state=seed, num_threads=cores())

    def _learn(self, matrix: sparse.csr_array) -> None:
        with one_blas_thread():  # as implicit asks: its own threads do the work
            self._model.fit(sparse.csr_matrix(matrix), show_progress=False)
        self._user_vectors = np.asarray(self._model.user_factors)
        self._item_vectors = np.asarray(self._model.item_factors)

    def _fold_in(self, matrix: sparse.csr_array) -> Floats:
        with one_blas_thread():
            found = self._model.recalculate_user(np.arange(matrix.shape[0]), sparse.csr_matrix(matrix))
        return np.asarray(found, dtype=np.float32).reshape(matrix.shape[0], -1)


class ImplicitBPR(OfVectors):
    """An ImplicitBPR is implicit's BayesianPersonalizedRanking, which knows those alone it was fitted on."""

    def __init__(self, settings: Settings, seed: int) -> None:
        super().__init__()
        # One thread: several write to the same rows at once, and no run repeats another.
        self._model = BayesianPersonalizedRanking(**settings, random_state=seed, num_threads=1)

    def _learn(self, matrix: sparse.csr_array) -> None:
        with one_blas_thread():
            self._model.fit(sparse.csr_matrix(matrix), show_progress=False)
        self._user_vectors = np.asarray(self._model.user_factors)
        self._item_vectors = np.asarray(self._model.item_factors)

    def _fold_in(self, matrix: sparse.csr_array) -> Floats:
        raise NotImplementedError("implicit's BPR answers nobody whom it was not fitted on")


class ImplicitBM25(FromHistory):
    """An ImplicitBM25 is implicit's BM25Recommender: neighbours of the items, weighted as words are."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self._model = BM25Recommender(**settings, num_threads=cores())

    def _learn(self, matrix: sparse.csr_array) -> None:
        self._model.fit(sparse.csr_matrix(matrix), show_progress=False)

    def _scores(self, matrix: sparse.csr_array) -> Floats:
        scores: Floats = (sparse.csr_matrix(matrix) @ self._model.similarity).toarray().astype(np.float32)
        return scores


def als(train: Dataset, settings: Settings, *, seed: int) -> Scorer:
    """Fits implicit's ALS."""
    return ImplicitALS(settings, seed).fit(train)


def bpr(train: Dataset, settings: Settings, *, seed: int) -> Scorer:
    """Fits implicit's BPR."""
    return ImplicitBPR(settings, seed).fit(train)


def bm25(train: Dataset, settings: Settings, *, seed: int) -> Scorer:
    """Fits implicit's BM25 neighbours."""
    return ImplicitBM25(settings).fit(train)
