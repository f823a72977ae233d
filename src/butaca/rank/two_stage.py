"""A TwoStage makes of a first stage and a ranker one Scorer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from butaca.data.histories import Histories
from butaca.errors import SettingError
from butaca.evaluate.scorers import answering
from butaca.rank.matrix import candidates_of
from butaca.rank.people import People
from butaca.rank.ranker import Ranker
from butaca.types import Codes, Floats, Scorer

#: Persons ordered at once.
BLOCK = 256


@dataclass(frozen=True, eq=False)
class TwoStage:
    """A TwoStage gives the first stage's scores, its best candidates in the ranker's order.

    The candidates keep the first stage's scores as a set, and the ranker says whose is which, so that a score
    means what it meant and everything else stands where it stood. Each score is raised by a trifle, so that
    equal ones are in order. The first stage is asked for one person at a time: its float products depend on
    the batch in the last bit, and a tree does not forgive that.

    Attributes:
        first: retrieves.
        ranker: orders.
        seen: what users have had: histories of the features, and no candidates.
        now: of a ranker trained on folds in time, the time of asking; see `Ranker.people`.
    """

    first: Scorer
    ranker: Ranker
    seen: Histories
    now: float | None = None

    def __post_init__(self) -> None:
        if self.first.n_items != self.ranker.n_items:
            raise SettingError(
                "Both stages know the same catalogue",
                f"{self.first.n_items} items and {self.ranker.n_items}",
                "Fit the ranker for this first stage",
            )

    @property
    def n_items(self) -> int:
        """Returns the size N of the catalogue."""
        return self.first.n_items

    def score(self, users: Codes) -> Floats:
        """Scores the catalogue for user codes [B] -> [B, N]."""
        out = np.empty((len(users), self.n_items), dtype=np.float32)
        for at in range(0, len(users), BLOCK):
            block = users[at : at + BLOCK]
            for b, user in enumerate(block):
                out[at + b] = self.first.score(np.array([user], dtype=np.int32))[0]
            self._reorder(block, out[at : at + BLOCK])
        return out

    def people(self, users: Codes) -> People:
        """Returns the persons behind user codes."""
        return self.ranker.people(users, self.seen, now=self.now)

    def candidates(self, users: Codes, scores: Floats) -> tuple[Codes, Floats]:
        """Returns the first stage's best of each, seen left out, from its scores [B, N]."""
        return candidates_of(
            scores, [self.seen.left_out(int(u)) for u in users], n=self.ranker.settings.candidates
        )

    def _reorder(self, users: Codes, scores: Floats) -> None:
        candidates, values = self.candidates(users, scores)
        if not candidates.size:
            return
        ranked = self.ranker.rank(self.people(users), candidates, scores=values)
        n = candidates.shape[1]
        for b in range(len(users)):
            real = ranked.items[b] >= 0
            top = values[b][candidates[b] >= 0]
            trifle = 4 * np.spacing(np.abs(top).max(initial=1.0)).astype(np.float32)
            scores[b, ranked.items[b][real]] = top + trifle * np.arange(n, n - len(top), -1, dtype=np.float32)

    def answering(self, seen: Histories) -> TwoStage:
        """Returns both stages for other people, or longer histories, by their codes in `seen`."""
        return TwoStage(answering(self.first, seen), self.ranker, seen, self.now)
