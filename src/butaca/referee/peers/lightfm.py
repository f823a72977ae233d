"""This module fits LightFM: vectors and biases trained by WARP."""

from __future__ import annotations

import numpy as np
from lightfm import LightFM  # type: ignore[import-not-found]
from scipy import sparse

from butaca.cores import cores
from butaca.data.dataset import Dataset
from butaca.referee.peers.vectors import OfVectors
from butaca.referee.search import Settings
from butaca.types import Floats, Scorer


class LightFMWarp(OfVectors):
    """A LightFMWarp is LightFM without features, which knows those alone it was fitted on."""

    def __init__(self, settings: Settings, seed: int) -> None:
        super().__init__()
        own = {name: value for name, value in settings.items() if name != "epochs"}
        self._epochs = int(settings["epochs"])
        self._model = LightFM(loss="warp", random_state=seed, **own)

    def _learn(self, matrix: sparse.csr_array) -> None:
        had = matrix.tocoo()
        row, column = had.row.astype(np.int32), had.col.astype(np.int32)  # it reads no longer codes
        pairs = sparse.coo_matrix((had.data, (row, column)), shape=matrix.shape)
        self._model.fit(pairs, epochs=self._epochs, num_threads=cores())
        bias, vectors = self._model.get_item_representations()
        _, users = self._model.get_user_representations()  # a user's bias moves no item
        self._item_vectors = np.column_stack([vectors, bias]).astype(np.float32)
        self._user_vectors = np.column_stack([users, np.ones(len(users))]).astype(np.float32)

    def _fold_in(self, matrix: sparse.csr_array) -> Floats:
        raise NotImplementedError("LightFM without features answers nobody whom it was not fitted on")


def warp(train: Dataset, settings: Settings, *, seed: int) -> Scorer:
    """Fits LightFM by WARP."""
    return LightFMWarp(settings, seed).fit(train)
