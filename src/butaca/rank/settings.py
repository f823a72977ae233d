"""This module documents every setting of a ranker's training, here and nowhere else."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from butaca.checks import check_fields
from butaca.errors import SettingError
from butaca.rank.learn import FactSettings


@dataclass(frozen=True)
class RankSettings:
    """A RankSettings says how the second stage is trained; chosen on MovieLens 100K (docs/ranking.md).

    Attributes:
        target: what counts as good: "watched", or "graded", where a rating above what
            item and person make likely counts `liked` times.
        liked: gain of a watched and liked item under "graded".
        folds: how out-of-fold examples are made: "random", or "time" for a model of the future.
        n_folds: parts that the interactions are cut into, or cuts in time.
        used: random parts that are hidden in turn; a first stage is fitted for each.
        label: in time, the share of the interactions that each cut is followed by.
        candidates: of a person, that are ordered.
        trained: the best of them that are learned from.
        rounds: trees; early stopping, where asked for, may keep fewer.
        leaves: of a tree.
        learning_rate: what each tree adds.
        least: examples in a leaf.
        l2: penalty of leaves.
        share: of the features drawn for each tree.
        truncation: place down to which pairs count in LambdaMART's gradients.
        held_out: share of the folds' people that no tree learns from: for calibration and early stopping.
        patience: rounds without gain before it stops; 0 keeps all trees.
        weight: of the trees' sum beside the log of the first stage's share, which a ranking starts from.
        threads: of LightGBM, in training; 0 takes the processor's. The trees are the same with any number.
        seed: of folds and trees.
        facts: what is kept of the past.
    """

    target: Literal["watched", "graded"] = "watched"
    liked: float = 1.5
    folds: Literal["random", "time"] = "random"
    n_folds: int = 5
    used: int = 3
    label: float = 0.1
    candidates: int = 300
    trained: int = 150
    rounds: int = 60
    leaves: int = 15
    learning_rate: float = 0.05
    least: int = 200
    l2: float = 10.0
    share: float = 0.5
    truncation: int = 30
    held_out: float = 0.15
    patience: int = 0
    weight: float = 1.0
    threads: int = 0
    seed: int = 42
    facts: FactSettings = field(default_factory=FactSettings)

    def __post_init__(self) -> None:
        check_fields(self)
        if self.target not in ("watched", "graded") or self.folds not in ("random", "time"):
            raise SettingError(
                'A target is "watched" or "graded", and folds are "random" or "time"',
                f"target={self.target!r}, folds={self.folds!r}",
            )
        counts = ("n_folds", "candidates", "trained", "rounds", "least", "truncation", "used")
        for name in counts:
            if getattr(self, name) < 1 + (name == "n_folds"):
                raise SettingError(f"{name} is at least {1 + (name == 'n_folds')}", f"{getattr(self, name)}")
        shares = {"label": self.label, "share": self.share, "learning_rate": self.learning_rate}
        for name, value in shares.items():
            if not 0 < value <= 1:
                raise SettingError(f"{name} lies above 0 and is at most 1", f"{value}")
        if self.threads < 0 or self.patience < 0:
            raise SettingError(
                "threads and patience are 0 or more", f"threads={self.threads}, patience={self.patience}"
            )
        if not 0 <= self.held_out < 1 or self.leaves < 2 or self.l2 < 0 or self.liked < 1:
            raise SettingError(
                "held_out is 0 or more and below 1, leaves 2 or more, l2 0 or more, liked 1 or more",
                f"held_out={self.held_out}, leaves={self.leaves}, l2={self.l2}, liked={self.liked}",
            )
