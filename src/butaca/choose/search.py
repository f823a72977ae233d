"""This module says how configurations are searched: which enter, at which rungs, and what that takes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from butaca.choose.closed_forms import forms, n_tried
from butaca.choose.curves import CURVES, is_open
from butaca.choose.portfolio import Asked, Member, drawn, members
from butaca.data.dataset import Dataset
from butaca.data.signal import Signal

#: Shares of the epochs after which the field is halved.
RUNGS = (0.25, 0.5, 1.0)

#: The same where histories are read in their order: a rate that falls to the end can't be trained on, so that
#: who goes on begins anew, and of four one does.
RUNGS_OF_ORDERS = (0.25, 1.0)


@dataclass(frozen=True)
class Search:
    """A Search says how configurations are chosen.

    Attributes:
        split: how the test side was held out, which slices follow.
        order: how the history is to be read, "none" as a bag; None leaves it to validation.
        trials: towers that enter; 0: the portfolio alone.
        seed: of the draws.
        only: the members that enter, whatever the split and the trials; none named: the portfolio.
        signal: by which the data count; where it leaves open what amounts are worth, that is chosen first.
            None: as they are.
    """

    split: str = "random"
    order: Asked = None
    trials: int = 0
    seed: int = 0
    only: Sequence[Member] = ()
    signal: Signal | None = None

    def field(self, train: Dataset) -> Sequence[Member]:
        """Returns the members that enter."""
        if self.only:
            return self.only
        field = members(self.split, timed=train.timestamp is not None, order=self.order)
        return drawn(field, self.trials, seed=self.seed) if self.trials > len(field) else field

    def rungs(self, train: Dataset) -> Sequence[tuple[float, int]]:
        """Returns the share of the epochs at each rung, and how many members train so far."""
        field = self.field(train)
        ordered = any(member.order for member in field)
        shares, narrowing = (RUNGS_OF_ORDERS, 4) if ordered else (RUNGS, 2)
        return [(share, max(math.ceil(len(field) / narrowing**at), 1)) for at, share in enumerate(shares)]

    def steps(self, train: Dataset) -> int:
        """Returns how many times `choose` tells that it got on."""
        timed = train.timestamp is not None
        closed = sum(n_tried(form, timed) for form in forms(len(train.items)))
        curves = len(CURVES) if is_open(train, self.signal) else 0
        return sum(n for _, n in self.rungs(train)) + closed + curves

    def fits(self, train: Dataset) -> float:
        """Returns how many whole fits the training takes, at the dimensions of each."""
        members = sorted(self.field(train), key=lambda member: -member.wider)
        before, total = 0.0, 0.0
        for share, entering in self.rungs(train):
            total += sum((share - before * (m.order is None)) * m.wider for m in members[:entering])
            before = share
        return total
