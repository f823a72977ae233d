"""This module fits RecTools' models: its EASE and its PureSVD."""

from __future__ import annotations

import numpy as np
import pandas as pd
from rectools import Columns  # type: ignore[import-not-found]
from rectools.dataset import Dataset as Interactions  # type: ignore[import-not-found]
from rectools.models import EASEModel, PureSVDModel  # type: ignore[import-not-found]
from scipy import sparse

from butaca.baselines.from_history import FromHistory
from butaca.data.dataset import Dataset
from butaca.referee.peers.vectors import OfVectors
from butaca.referee.search import Settings
from butaca.types import Codes, Floats, Scorer


def interactions_of(matrix: sparse.csr_array) -> Interactions:
    """Returns who had what as RecTools reads it: codes as ids; all times alike, which neither model reads."""
    had = sparse.coo_array(matrix)
    table = pd.DataFrame({Columns.User: had.row, Columns.Item: had.col, Columns.Weight: had.data})
    table[Columns.Datetime] = pd.Timestamp(0)
    return Interactions.construct(table)


class RecToolsEASE(FromHistory):
    """A RecToolsEASE is RecTools' EASEModel."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self._model = EASEModel(**settings)
        self._items: Codes | None = None  # codes in the order of its own

    def _learn(self, matrix: sparse.csr_array) -> None:
        known = interactions_of(matrix)
        self._model.fit(known)
        self._items = np.asarray(known.item_id_map.external_ids, dtype=np.int32)

    def _scores(self, matrix: sparse.csr_array) -> Floats:
        out = np.full(matrix.shape, np.nan, dtype=np.float32)  # what nobody had ranks last
        # Its own `recommend` takes a row of the weights, not a column, for an item that is scored.
        out[:, self._items] = sparse.csc_array(matrix)[:, self._items] @ self._model.weight.T
        return out


class RecToolsPureSVD(OfVectors):
    """A RecToolsPureSVD is RecTools' PureSVDModel, which knows those alone it was fitted on."""

    def __init__(self, settings: Settings, seed: int) -> None:
        super().__init__()
        self._model = PureSVDModel(**settings, random_state=seed)

    def _learn(self, matrix: sparse.csr_array) -> None:
        known = interactions_of(matrix)
        self._model.fit(known)
        users, items = self._model.get_vectors()
        self._user_vectors = np.zeros((matrix.shape[0], users.shape[1]), dtype=np.float32)
        self._user_vectors[np.asarray(known.user_id_map.external_ids)] = users
        self._item_vectors = np.zeros((matrix.shape[1], items.shape[1]), dtype=np.float32)
        self._item_vectors[np.asarray(known.item_id_map.external_ids)] = items

    def _fold_in(self, matrix: sparse.csr_array) -> Floats:
        raise NotImplementedError("RecTools' PureSVD answers nobody whom it was not fitted on")


def ease(train: Dataset, settings: Settings, *, seed: int) -> Scorer:
    """Fits RecTools' EASE."""
    return RecToolsEASE(settings).fit(train)


def pure_svd(train: Dataset, settings: Settings, *, seed: int) -> Scorer:
    """Fits RecTools' PureSVD."""
    return RecToolsPureSVD(settings, seed).fit(train)
