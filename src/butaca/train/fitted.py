"""This module holds what a fit learned, and makes of it the vectors that answer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from butaca.data.dataset import Entities
from butaca.data.histories import Histories
from butaca.model.cold import ColdItems
from butaca.model.pairs import ItemPairs
from butaca.model.query import RatingBins
from butaca.model.spectral import Spectrum
from butaca.train.batch import Candidates
from butaca.train.cold_start import cold_items, learned_features, with_cold, with_newcomers
from butaca.train.layout import Features, Towers
from butaca.train.loop import TrainingRun
from butaca.train.processes import gathered
from butaca.train.settings import TwoTowerSettings
from butaca.train.vectors import Vectors, answering_vectors, blended
from butaca.types import Codes, Floats


@dataclass(frozen=True)
class Learned:
    """A Learned holds what answers of a run, which can go to another process.

    Attributes:
        towers, features: as training left them.
        item: item code of each training pair.
    """

    towers: Towers
    features: Features
    item: Codes


@dataclass
class FittedState:
    """Holds what fit learned; `run`, which trained, does not go along to another process.

    Attributes:
        users, items: that the model was fitted on.
        seen: what each user had.
        run: which trained.
        learned: the towers, and what they read.
        softmax: that was used.
        spectrum: of the closed-form tower, where there is one.
        bins: of the rating, where histories weigh by it.
        share: of each item in what is recent [N], where the blend asks for it.
        counted: pairs of items, where followers or neighbours are asked for.
        vectors: that answer, once they were asked for.
        cold: what gives items without training interactions their rows, once that was asked for.
        again: whether what was had may be had again.
    """

    users: Entities
    items: Entities
    seen: Histories
    run: TrainingRun
    learned: Learned
    softmax: Candidates
    spectrum: Spectrum | None = None
    bins: RatingBins | None = None
    share: Floats | None = None
    counted: ItemPairs | None = None
    vectors: Vectors | None = None
    cold: ColdItems | None = None
    again: bool = False

    def __getstate__(self) -> dict[str, object]:
        """Returns what a copy, or another process, answers from."""
        state = {name: value for name, value in self.__dict__.items() if name != "run"}
        features, towers = gathered(self.learned.features), gathered(self.learned.towers)
        return state | {"learned": Learned(towers, features, self.learned.item)}

    def answering(self, settings: TwoTowerSettings) -> Vectors:
        """Returns the vectors that answer, made once: those of people and items without interactions too."""
        if self.vectors is None:
            vectors = self._with_cold(settings, self.vectors_of(self.learned.towers, settings))
            features = settings.newcomer_features
            self.vectors = with_newcomers(features, vectors, users=self.users, seen=self.seen)
        return self.vectors

    def vectors_of(self, towers: Towers, settings: TwoTowerSettings) -> Vectors:
        """Returns the vectors of these towers as numpy arrays."""
        features = learned_features(gathered(self.learned.features), self.seen, key=self.users.key)
        vectors = answering_vectors(
            settings,
            gathered(towers),
            features=features,
            seen=self.seen,
            n_items=len(self.items),
            bins=self.bins,
            spectrum=self.spectrum,
            counted=self.counted,
        )
        blend = settings.blend
        return vectors if blend is None else blended(vectors, blend, share=self.share)

    def _with_cold(self, settings: TwoTowerSettings, vectors: Vectors) -> Vectors:
        """Gives items without training interactions the rows that their features suggest, if any."""
        features, items = settings.cold_features, self.items
        if not features:
            return vectors
        count = np.bincount(self.learned.item, minlength=len(items))
        if self.cold is None:
            self.cold = cold_items(features, vectors, items=items, count=count, seen=self.seen)
        if self.cold is None:
            return vectors
        return with_cold(vectors, self.cold, items=items, count=count, seen=self.seen)
