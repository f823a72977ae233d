"""This module holds what trains a history with an order best, for each order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from butaca.model.features import Order


@dataclass(frozen=True)
class OrderTraining:
    """An OrderTraining holds what trains a history with an order, by the names of Recipe and History."""

    learning_rate: float
    steps: int
    most_epochs: int
    dropout: float
    temperature: float


#: By order; `Recipe.ordered` says how they were chosen.
ORDERED: Mapping[Order, OrderTraining] = {
    "timescales": OrderTraining(0.007, 200, 40, 0.2, 0.12),
    "attention": OrderTraining(0.003, 300, 40, 0.2, 0.12),
}
