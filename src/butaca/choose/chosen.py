"""This module holds what a choice came to: the configuration that validation picked, beside which others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from butaca.choose.closed_forms import FoundForm
from butaca.choose.curves import ChosenCurve
from butaca.choose.mixture import Mixture
from butaca.choose.newcomers import ForNewcomers
from butaca.recipes import Recipe


@dataclass(frozen=True)
class Tried:
    """A Tried is a configuration that was judged.

    Attributes:
        name: of the member of the portfolio.
        epochs: that it had trained.
        value: on the slice, at the mixture that suits it.
        mixture: that one.
    """

    name: str
    epochs: int
    value: float
    mixture: Mixture


@dataclass(frozen=True)
class Chosen:
    """A Chosen is the configuration that validation picked, beside what.

    Attributes:
        recipe: adapted to the data, to be fitted on all of it.
        name: of the member.
        value: on the slice.
        closed: the closed form that stands beside it, and its value alone.
        tried: every tower that was judged, in order.
        users, pairs: of the slice.
        newcomers: what users' columns are worth for people without a history; None where there are none.
        curve: what amounts are worth; None where that was no question.
    """

    recipe: Recipe
    name: str
    value: float
    closed: FoundForm
    tried: Sequence[Tried]
    users: int
    pairs: int
    newcomers: ForNewcomers | None = None
    curve: ChosenCurve | None = None

    @property
    def sentence(self) -> str:
        """Says what was chosen, beside what, and by how much."""
        last = {one.name: one for one in self.tried}
        others = sorted((t for name, t in last.items() if name != self.name), key=lambda t: -t.value)
        closed, mixture = self.closed, self.tried[-1].mixture
        form = "a ridge regression" if closed.settings.form == "ridge" else "a filter"
        parts = [f"{form} of {closed.settings.dim} dimensions"] if mixture.weight else []
        if mixture.pairs and mixture.pairs_of == "followers":
            parts.append("what followed upon what")
        elif mixture.pairs and mixture.pairs_of == "neighbours":
            parts.append("what its nearest neighbours say of each item")
        elif mixture.pairs:
            parts.append(f"the {closed.settings.pairs} strongest pairs of each item")
        beside = f", with {' and '.join(parts)} beside it" if parts else ""
        than = "".join(f"; {t.name!r} {t.value:.4f}" for t in others[:2])
        return (
            f"Chosen on {self.pairs:,} pairs of {self.users:,} users held out of the training side: "
            f"{self.name!r}{beside}, {self.value:.4f} (geometric mean of the four measures){than}; the "
            f"closed form alone {closed.value:.4f}."
        )

    def as_json(self) -> dict[str, Any]:
        """Returns the choice for a model's manifest."""
        return {
            "name": self.name,
            "value": self.value,
            "measure": "geometric mean of the verdict's four measures",
            "users": self.users,
            "pairs": self.pairs,
            "closed_form": self.closed.value,
            "tried": [
                {"name": t.name, "epochs": t.epochs, "value": t.value, **asdict(t.mixture)}
                for t in self.tried
            ],
            "sentence": self.sentence,
            **({} if self.newcomers is None else {"newcomers": self.newcomers.as_json()}),
            **({} if self.curve is None else {"curve": self.curve.as_json()}),
        }
