"""This module says how items are compared, and what closed form is made of it (model/spectral.py)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

from butaca.checks import check_fields
from butaca.errors import SettingError
from butaca.model.beside import MOST_WEIGHT, is_weight

#: The closed form: a filter on leading eigenvectors, or a whole ridge regression, cut.
Form: TypeAlias = Literal["filter", "ridge"]


@dataclass(frozen=True)
class SpectralSettings:
    """Says how items are compared, and the closed-form tower's shape; chosen by validation (docs/tuning.md).

    Attributes:
        span: positions over which closeness in time falls by e; inf, or data without times, takes
            whole histories.
        user_power: a history of n items counts n ** -user_power (squared in K).
        item_power: the b above; 0.5 divides by the degrees in full.
        dim: dimensions of the closed-form tower; 0 leaves it out, and the decomposition only starts
            the trained one.
        weight: spread of the closed-form tower's scores over a user's candidates, in parts of the
            trained tower's.
        ridge: of the filter, in parts of the mean kept eigenvalue; of form "ridge", of the mean diagonal.
        leave_out: power of the division by 1 - sum f V^2; 1 is EASE's zero diagonal, 0 none.
        history_power: an item of the history counts degree ** -history_power.
        candidate_power: a candidate counts degree ** candidate_power.
        pairs: of form "ridge", single pairs of items that are kept for each item beyond what `dim` dimensions
            hold (model/pairs.py); 0 keeps none.
        pairs_weight: spread of what they add to a user's scores, in parts of the trained tower's.
        form: "filter", on the leading eigenvectors, or "ridge", the whole regression cut to `dim`
            (model/ridge.py), of the 4,096 items with most interactions.
    """

    span: float = 16.3
    user_power: float = 0.019
    item_power: float = 0.341
    dim: int = 36
    weight: float = 0.155
    ridge: float = 0.0834
    leave_out: float = 0.434
    history_power: float = 0.21
    candidate_power: float = 0.435
    pairs: int = 0
    pairs_weight: float = 0.0
    form: Form = "filter"

    def __post_init__(self) -> None:
        check_fields(self)
        for name, value in vars(self).items():
            if isinstance(value, str):
                continue
            if name in ("weight", "pairs_weight"):
                good = is_weight(value)
            elif name == "span":
                good = value > 0
            else:
                good = math.isfinite(value) and (value >= 0 or name not in ("dim", "ridge", "pairs"))
            if not good:
                raise SettingError(
                    "A spectral span is above 0, its dim, pairs and ridge are 0 or more, its weights from 0 "
                    f"to {MOST_WEIGHT:,.0f}, its powers finite",
                    f"{name}={value}",
                    "Try SpectralSettings()",
                )
        if self.pairs and not (self.form == "ridge" and self.dim):
            raise SettingError(
                "Pairs of items are what a ridge regression holds beyond its dimensions",
                f"pairs={self.pairs} with form={self.form!r}, dim={self.dim}",
                'Pass form="ridge" and a dim, or pairs=0',
            )
