"""This module fits LensKit's models: its implicit ALS and its item-kNN, each asked with a user's history."""

from __future__ import annotations

import numpy as np
import pandas as pd
from lenskit.als import ImplicitMFScorer  # type: ignore[import-not-found]
from lenskit.data import ItemList, RecQuery, from_interactions_df  # type: ignore[import-not-found]
from lenskit.knn import ItemKNNScorer  # type: ignore[import-not-found]
from lenskit.training import TrainingOptions  # type: ignore[import-not-found]
from scipy import sparse

from butaca.baselines.from_history import FromHistory
from butaca.data.dataset import Dataset
from butaca.referee.peers.vectors import OfVectors
from butaca.referee.search import Settings
from butaca.types import Bools, Floats, Scorer


def pairs_of(matrix: sparse.csr_array) -> pd.DataFrame:
    """Returns who had what as LensKit reads it: codes, without the items that nobody had."""
    had = sparse.coo_array(matrix)
    return pd.DataFrame({"user_id": had.row, "item_id": had.col})


class LensKitImplicitMF(OfVectors):
    """A LensKitImplicitMF is LensKit's ImplicitMFScorer, which folds in whoever asks with a history."""

    def __init__(self, settings: Settings, seed: int) -> None:
        super().__init__()
        self._seed = seed
        self._known: Bools | None = None  # [N], which items it was fitted on
        self._model = ImplicitMFScorer(**settings, user_embeddings=False)

    def _learn(self, matrix: sparse.csr_array) -> None:
        self._model.train(from_interactions_df(pairs_of(matrix)), TrainingOptions(rng=self._seed))
        own = self._model.item_embeddings
        vectors = np.zeros((matrix.shape[1], own.shape[1]), dtype=np.float32)
        vectors[np.asarray(self._model.items.ids())] = own
        self._item_vectors = vectors
        self._known = np.bincount(matrix.indices, minlength=matrix.shape[1]) > 0

    def _fold_in(self, matrix: sparse.csr_array) -> Floats:
        assert self._item_vectors is not None
        assert self._known is not None
        out = np.zeros((matrix.shape[0], self._item_vectors.shape[1]), dtype=np.float32)
        for row in np.flatnonzero(np.diff(matrix.indptr)):
            had = matrix.indices[matrix.indptr[row] : matrix.indptr[row + 1]]
            had = had[self._known[had]]  # LensKit fails on what it was not fitted on
            if len(had):
                out[row], _ = self._model.new_user_embedding(None, ItemList(item_ids=had))
        return out


class LensKitItemKNN(FromHistory):
    """A LensKitItemKNN is LensKit's ItemKNNScorer for implicit feedback."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self._model = ItemKNNScorer(**settings, feedback="implicit")

    def _learn(self, matrix: sparse.csr_array) -> None:
        self._model.train(from_interactions_df(pairs_of(matrix)), TrainingOptions())

    def _scores(self, matrix: sparse.csr_array) -> Floats:
        everything = ItemList(item_ids=np.arange(matrix.shape[1]))
        out = np.full(matrix.shape, np.nan, dtype=np.float32)  # what it can't score ranks last
        for row in np.flatnonzero(np.diff(matrix.indptr)):
            had = ItemList(item_ids=matrix.indices[matrix.indptr[row] : matrix.indptr[row + 1]])
            out[row] = self._model(RecQuery(history_items=had), everything).scores()
        return out


def implicit_mf(train: Dataset, settings: Settings, *, seed: int) -> Scorer:
    """Fits LensKit's implicit ALS."""
    return LensKitImplicitMF(settings, seed).fit(train)


def item_knn(train: Dataset, settings: Settings, *, seed: int) -> Scorer:
    """Fits LensKit's item-kNN."""
    return LensKitItemKNN(settings).fit(train)
