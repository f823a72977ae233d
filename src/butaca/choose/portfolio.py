"""This module names the configurations that `fit` chooses among: towers that differ in what data differ in.

How sharply the softmax tells items apart (`temperature`), how many dimensions it has to do so, and whether
the order of a history is read. Every other setting is the recipe's. Which names are there was chosen on
validation slices of data sets of different shapes (docs/decisions/020-choice.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np

from butaca.data.dataset import Dataset
from butaca.data.splits import COMES_NEXT
from butaca.model.features import History, Order
from butaca.model.spectral_settings import SpectralSettings
from butaca.recipes import Recipe

#: Which orders are in the field: those of the split, or the one that was asked for.
Asked: TypeAlias = Order | Literal["none"] | None


@dataclass(frozen=True)
class Member:
    """A Member is one configuration of the portfolio.

    Attributes:
        name: what it is called where a choice is told.
        temperature: of the softmax.
        wider: its dimensions in parts of the recipe's for these data.
        order: in which the history is read; None: as a bag.
        dropout, prior_power: instead of the recipe's; None leaves them.
    """

    name: str
    temperature: float
    wider: int = 1
    order: Order | None = None
    dropout: float | None = None
    prior_power: float | None = None

    def recipe(self, base: Recipe, train: Dataset, *, future: bool, closed: SpectralSettings) -> Recipe:
        """Returns the recipe for data, its start from the closed form's kernel, no closed form beside it.

        Args:
            base: the recipe that is adapted to the data.
            train: what it will be fitted on.
            future: whether what is asked comes after the data.
            closed: the closed form that was chosen.
        """
        of_order = base if self.order is None else base.ordered(self.order)
        wide = replace(of_order.model, dim=of_order.model.dim * self.wider)
        adapted = replace(of_order, model=wide).for_data(train, future=future)
        of_model = adapted.model
        power = of_model.prior_power if self.prior_power is None else self.prior_power
        query = tuple(
            replace(f, dropout=self.dropout) if isinstance(f, History) and self.dropout is not None else f
            for f in of_model.query
        )
        model = replace(
            of_model,
            query=query,
            prior_power=power,
            temperature=self.temperature,
            spectral=replace(closed, dim=0, pairs=0, pairs_weight=0.0),
            trusted_from=0,
            followers=None,
            neighbours=None,
            blend=None,
        )
        return replace(adapted, model=model, held_out=0, asks=None, steps=0, tuned_on=0)


BAGS: Sequence[Member] = (
    Member("even", 0.222),
    Member("even, wide", 0.222, 2),
    Member("sharp, wide", 0.12, 2),
    Member("soft", 0.5),
)

ORDERS: Sequence[Member] = (
    Member("timescales", 0.12, 1, "timescales"),
    Member("timescales, soft", 0.2, 1, "timescales"),
    Member("timescales, wide", 0.12, 2, "timescales"),
    Member("even", 0.222),
)


def members(split: str, *, timed: bool, order: Asked = None) -> Sequence[Member]:
    """Returns the portfolio for data that are split so.

    Args:
        split: how the test side was held out.
        timed: whether the interactions have times.
        order: the order that was asked for, "none" for a bag; None leaves it to validation.
    """
    if order == "none" or not timed or (order is None and split not in COMES_NEXT):
        return BAGS
    if order is None:
        return ORDERS
    return [replace(m, name=m.name.replace("timescales", order), order=order) for m in ORDERS if m.order]


def drawn(field: Sequence[Member], trials: int, *, seed: int) -> Sequence[Member]:
    """Returns the portfolio and further members up to `trials`, their settings drawn evenly.

    Args:
        field: the portfolio, which comes first.
        trials: how many in all; at least the portfolio.
        seed: of the draws.
    """
    rng = np.random.default_rng([seed, 7])
    orders = [member.order for member in field]
    more = []
    for number in range(len(field) + 1, trials + 1):
        order = orders[int(rng.integers(len(orders)))]
        more.append(
            Member(
                f"trial {number}",
                round(float(np.exp(rng.uniform(np.log(0.08), np.log(0.45)))), 4),
                int(rng.integers(1, 4)),
                order,
                round(float(rng.uniform(0.1, 0.75)), 3),
                round(float(rng.uniform(0.4, 1.4)), 3),
            )
        )
    return [*field, *more]
