"""This module holds Recipe: a model, how to train it, and how both follow the data."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np
import optax

from butaca.checks import check_fields, check_type
from butaca.data.dataset import Dataset
from butaca.data.splits import random_split, validation_split
from butaca.errors import DivergenceError, SettingError, SplitError
from butaca.model.cold import features_of
from butaca.model.features import History, Id, Order
from butaca.model.followers import FollowerSettings
from butaca.recipes.orders import ORDERED
from butaca.recipes.size import Size, epochs_of, of_size, sampling
from butaca.train.blend import best_blend
from butaca.train.callbacks import Callback, Checkpoint, EarlyStopping, FitHistory
from butaca.train.optimizers import make_optimizer
from butaca.train.settings import TwoTowerSettings
from butaca.train.windows import cuts_of
from butaca.two_tower import TwoTower

#: Of the training data, the share that chooses a blend.
CHOOSING_SHARE = 0.2


@dataclass(frozen=True)
class Recipe:
    """A Recipe is a model and how to train it.

    Attributes:
        name: what --recipe says.
        model: the towers and their loss; the id columns are set from the data (`for_data`).
        optimizer: name of an optax optimizer.
        learning_rate: its step size.
        batch_size: pairs per step.
        epochs: passes over the training pairs.
        steps: if above 0, `for_data` sets the epochs to take about as many steps, and at least four,
            or one above 5 million interactions.
        features_of_new: whether `for_data` lets items without interactions be known by their features.
        tuned_on: interactions of the data that the settings were tuned on; if above 0, `for_data` lets the
            closed-form tower compare whole histories beyond 4,096 items, and its dimensions grow with the
            data's size against it: with its cube root, and with two thirds of it where that is more (from
            1.8 times on), up to 256.
        held_out: pairs that `fit` keeps for early stopping where an epoch takes several steps; 0 never
            stops early. `for_data` sets it to 0 above 5 million interactions.
        asks: how the test side is split off, where `fit` is to choose a blend on a part held out in the same
            way (train/blend.py): by time alone, since what comes just next gained nothing by one.
        decay: whether the learning rate falls in a line, to a fiftieth at the last step.
        most_epochs: if above 0, `for_data` asks for no more.
    """

    name: str
    model: TwoTowerSettings = field(default_factory=TwoTowerSettings)
    optimizer: str = "adagrad"
    learning_rate: float = 0.5
    batch_size: int = 8192
    epochs: int = 10
    steps: int = 0
    features_of_new: bool = False
    tuned_on: int = 0
    held_out: int = 0
    asks: Literal["temporal"] | None = None
    decay: bool = False
    most_epochs: int = 0

    def __post_init__(self) -> None:
        """Checks that every field is of the type it is declared as."""
        check_fields(self)

    def make_optimizer(self, train: Dataset | None = None) -> optax.GradientTransformation:
        """Returns the optimizer; one object per name and rate, so that compiled steps are found again.

        Args:
            train: what it will be fitted on, by which a rate that decays knows its last step.
        """
        steps = self.epochs * self._steps_per_epoch(train) if self.decay and train is not None else 0
        return make_optimizer(self.optimizer, self.learning_rate, steps=steps)

    def _steps_per_epoch(self, train: Dataset) -> int:
        """Counts the steps of an epoch, of windows but for what their packing leaves empty."""
        history, places = self.model.history, len(train)
        if history is not None and self.model.order is not None:
            lengths = np.bincount(train.user, minlength=len(train.users))
            places = int(cuts_of(lengths, history.window).length.sum())
        return max(math.ceil(places / self.batch_size), 1)

    def ordered(self, order: Order) -> Recipe:
        """Returns the recipe with a history that has an order (`History.order`), and what trains it best.

        The settings are those that the last but one of each user chose on MovieLens 100K, MovieTweetings and
        Online Retail (docs/decisions/019-order.md). Its vectors start from the spectrum, no closed-form tower
        stands beside it, what followed upon what counts a little, and every pair trains.

        Raises:
            SettingError: the recipe reads no history, or no order has this name.
        """
        check_type("order", order, hint=Order)
        history = self.model.history
        if history is None:
            raise SettingError(
                "An order is that of a history, which the recipe has to read",
                f"order={order!r} for the recipe {self.name!r}",
                'Take recipe("default") (on the command line: --recipe default), or leave out the order',
            )
        chosen = ORDERED[order]
        read = replace(history, order=order, dropout=chosen.dropout)
        query = tuple(read if isinstance(f, History) else f for f in self.model.query)
        model = replace(
            self.model,
            query=query,
            temperature=chosen.temperature,
            prior_power=1.0,
            spectral=None,
            trusted_from=0,
            followers=FollowerSettings(),
        )
        return replace(
            self,
            model=model,
            learning_rate=chosen.learning_rate,
            batch_size=8192,
            steps=chosen.steps,
            most_epochs=chosen.most_epochs,
            decay=True,
            held_out=0,
        )

    def for_data(self, data: Dataset, future: bool = False, *, asks: str | None = None) -> Recipe:
        """Returns the recipe over the data's own id columns, and adapted to its size.

        What a step costs follows the interactions: where the full softmax would make more than 1.2e10 scores
        in all epochs, and 20,000 for each interaction, positives compete with one in 8 items.

        Args:
            data: what it will be fitted on.
            future: the model is for what comes after the data (a split by time), so that an item's
                prior is its recent popularity where there are times.
            asks: the split that judges. For "temporal" a recipe that is tuned on other data is to choose a
                blend, on up to 5 million interactions.
        """
        model = self.model
        query = tuple(Id(data.users.key) if isinstance(f, Id) else f for f in model.query)
        model = replace(model, query=query, candidate=(Id(data.items.key),))
        if future and model.prior == "popularity" and data.timestamp is not None:
            model = replace(model, prior="recent")
        if self.features_of_new and not model.cold_features:
            model = replace(model, cold_features=features_of(data.items))
        size = Size.of(data)
        model, batch_size = of_size(model, size, batch_size=self.batch_size, tuned_on=self.tuned_on)
        epochs, held_out = self.epochs, self.held_out
        if self.steps:
            epochs = epochs_of(self.steps, size, batch_size=batch_size, most=self.most_epochs)
        if size.is_large:
            held_out = 0
        if self.tuned_on and size.is_scored_dearly(epochs):
            model = sampling(model, size.items)
        chooses = (
            asks == "temporal" and bool(self.tuned_on) and data.timestamp is not None and not size.is_large
        )
        return replace(
            self,
            model=model,
            epochs=epochs,
            batch_size=batch_size,
            held_out=held_out,
            asks="temporal" if chooses else None,
        )

    def fit(
        self, train: Dataset, callbacks: Sequence[Callback] = (), *, resume: str | Path | None = None
    ) -> tuple[TwoTower, FitHistory]:
        """Trains a new model, with early stopping if the data call for it (see `held_out`).

        What was held out for that counts as had once training ends.
        """
        chosen = self._with_blend(train)
        model = chosen.build()
        validation = None
        if self.held_out and len(train) > self.batch_size:
            share = min(self.held_out / len(train), 0.05)
            train_on, validation = random_split(train, share, seed=self.model.seed)
            saving = [i for i, c in enumerate(callbacks) if isinstance(c, Checkpoint)]
            at = min([1, *saving])  # before a checkpoint, which holds what it has made of the epoch
            callbacks = [*callbacks[:at], EarlyStopping(patience=2), *callbacks[at:]]
        else:
            train_on = train
        try:
            history = model.fit(
                train_on,
                epochs=self.epochs,
                batch_size=self.batch_size,
                optimizer=self.make_optimizer(train_on),
                callbacks=callbacks,
                validation_data=validation,
                resume=resume,
            )
        except DivergenceError as error:
            received = f"{error.received}, with {self.optimizer} at a learning rate of {self.learning_rate:g}"
            raise DivergenceError(error.rule, received, error.cure) from error
        if validation is not None:
            model.remember(train)
        return model, history

    def _with_blend(self, train: Dataset) -> Recipe:
        """Returns the recipe with the blend that a part of the training data chooses, where it asks for one.

        The part is held out as the test side is, and what is fitted on the rest trains half as long.
        """
        if self.asks is None or self.model.blend is not None:
            return self
        try:
            before, after = validation_split(train, self.asks, share=CHOOSING_SHARE, seed=self.model.seed)
        except SplitError:  # too few times
            return self
        short = replace(self, asks=None, epochs=-(-self.epochs // 2), held_out=0)
        model, _ = short.fit(before)
        codes = after.recoded(model.users, model.items), before.recoded(model.users, model.items)
        blend, _ = best_blend(model.products(), model.item_bias, train=codes[1], validation=codes[0])
        return replace(self, model=replace(self.model, blend=blend))

    def build(self) -> TwoTower:
        """Returns a new model, not yet fitted."""
        return TwoTower.of(self.model)
