"""This module holds the rules by which a recipe follows the size of the data."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import NamedTuple

from butaca.data.dataset import Dataset
from butaca.model.spectral import DENSE_ITEMS
from butaca.model.spectral_settings import SpectralSettings
from butaca.train.settings import TwoTowerSettings

#: Above so many interactions an epoch is more steps than a recipe asks for, so one will do, and nothing is
#: held out to stop early: prepared data stay where they are.
FEW_EPOCHS_PAIRS = 5_000_000


#: Beyond DENSE_ITEMS items: whole histories, of which blocks can be read from the disk one after another,
#: where sittings take four times the work. Chosen on validation slices of ML-100K grown to 6,728 and 53,824
#: items (docs/decisions/016-training-at-scale.md).
WHOLE_HISTORIES = SpectralSettings(
    span=math.inf,
    user_power=0.3,
    item_power=0.35,
    ridge=0.7,
    leave_out=0.3,
    history_power=0.3,
    candidate_power=0.1,
)


#: Scores of users by items in all epochs, some 50 s in 64 dimensions on two cores, and of them for each
#: interaction, from which on a recipe's positives compete with a sample: one item in SAMPLED, or
#: LEAST_SAMPLES, whichever is more.
MOST_SCORES, MOST_PER_PAIR, SAMPLED, LEAST_SAMPLES = 1.2e10, 20_000, 8, 1024


#: Of histories in order, a step's places times their dimensions: machine code takes no more (kernels.py).
PLACES_TIMES_DIM = 1 << 20


class Size(NamedTuple):
    """A Size says how large data are: interactions, users and items.

    Attributes:
        pairs, users, items: of each, how many.
    """

    pairs: int
    users: int
    items: int

    @classmethod
    def of(cls, data: Dataset) -> Size:
        """Returns the size of a data set."""
        return cls(len(data), len(data.users), len(data.items))

    @property
    def is_large(self) -> bool:
        """Returns whether one epoch will do, and nothing is held out."""
        return self.pairs > FEW_EPOCHS_PAIRS

    def is_scored_dearly(self, epochs: int) -> bool:
        """Returns whether scores of users by items would be too many in so many epochs."""
        scores = float(epochs) * self.users * self.items
        return scores > max(MOST_SCORES, MOST_PER_PAIR * self.pairs)


def of_size(
    model: TwoTowerSettings, size: Size, *, batch_size: int, tuned_on: int
) -> tuple[TwoTowerSettings, int]:
    """Returns the settings and the pairs per step for data of a size, as `Recipe.tuned_on` says.

    Args:
        model: settings, over the data's own columns.
        size: of the data.
        batch_size: pairs per step that the recipe asks for.
        tuned_on: interactions of the data that the settings were tuned on; 0 leaves all as it is.
    """
    if not tuned_on:
        return model, batch_size
    if model.spectral == SpectralSettings() and size.items > DENSE_ITEMS:
        model = replace(model, spectral=WHOLE_HISTORIES)
    smaller = max(min(size.users, size.items), 1)
    dim = model.dim
    if model.order is not None:
        dim = grown_dim(dim, size.pairs / tuned_on)
        batch_size = min(batch_size, PLACES_TIMES_DIM // dim)
        model = sampling(model, size.items)
    model = replace(model, dim=min(dim, max(4, smaller // 2)))
    if model.spectral is not None and model.spectral.dim:
        times = max(size.pairs, 1) / tuned_on
        grown = round(model.spectral.dim * max(times ** (1 / 3), times / 1.5))
        dim = max(min(grown, smaller // 4, 256), 2)
        model = replace(model, spectral=replace(model.spectral, dim=dim))
    return model, batch_size


def epochs_of(steps: int, size: Size, *, batch_size: int, most: int) -> int:
    """Returns the epochs that take about as many steps: four at least, or one of large data.

    Args:
        steps: that the recipe asks for.
        size: of the data.
        batch_size: pairs per step.
        most: epochs, of which no more are taken; 0 sets no bound.
    """
    per_epoch = max(math.ceil(size.pairs / batch_size), 1)
    epochs = max(math.ceil(steps / per_epoch), 1 if size.is_large else 4)
    return min(epochs, most or epochs)


def grown_dim(dim: int, times: float) -> int:
    """Returns the dimensions for data so many times as large: by the square root, in sixteens, up to 256.

    >>> [grown_dim(64, times) for times in (0.1, 1.4, 3.7, 14.0, 400.0)]
    [64, 64, 112, 224, 256]
    """
    return int(min(max(dim * math.sqrt(times) // 16 * 16, dim), max(256, dim)))


def sampling(model: TwoTowerSettings, n_items: int) -> TwoTowerSettings:
    """Returns settings whose positives compete with one in 8 of the items, where "auto" left it open.

    Histories in order compete with a sample wherever it is half of the items or fewer: each place of a
    history has a softmax of its own, and validation was no worse (docs/decisions/019-order.md). A sample as
    large as the catalogue would save nothing, and leaves all as it is.

    >>> from butaca.model.features import History
    >>> ordered = TwoTowerSettings(query=(History(order="timescales"),))
    >>> [(s.softmax, s.samples) for s in (sampling(ordered, n) for n in (2_000, 4_000, 40_000))]
    [('auto', 8192), ('sampled', 1024), ('sampled', 5000)]
    """
    ordered = model.order is not None
    samples = max(n_items // SAMPLED, min(LEAST_SAMPLES, n_items))
    if model.softmax != "auto" or n_items <= samples or (ordered and n_items < 2 * samples):
        return model
    return replace(model, softmax="sampled", samples=samples, sampling_power=0.5 if ordered else 0.75)
