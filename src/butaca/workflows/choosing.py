"""This module lets a fit choose its configuration by validation, as far as it was asked to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

from butaca.data.dataset import Dataset
from butaca.data.signal import Signal
from butaca.errors import SettingError, SplitError

if TYPE_CHECKING:  # these load JAX
    from butaca.choose.chosen import Chosen
    from butaca.choose.portfolio import Asked
    from butaca.recipes import Recipe

#: How long is searched before a fit: not at all, the portfolio, or as many trials as asked for.
Effort: TypeAlias = Literal["quick", "normal", "thorough"]

#: Below so many training interactions a slice says nothing, and above so many a search takes too long.
FEWEST, MOST = 200, 5_000_000


class ChoiceWatch(Protocol):
    """A ChoiceWatch is told how a search gets on."""

    def begin(self, text: str, total: int) -> None:
        """Is told before the search begins what it will do, in how many steps."""

    def advance(self) -> None:
        """Is told after each step."""

    def end(self) -> None:
        """Is told once the search ends, whatever happened."""


@dataclass(frozen=True)
class Choosing:
    """A Choosing says how a fit chooses its configuration.

    Attributes:
        effort: "quick" fits the recipe as it adapts to the data's size; "normal" chooses among the portfolio,
            for about the time of three further fits; "thorough" among `trials` configurations.
        trials: of "thorough".
        order: how histories are to be read, "none" as a bag; None leaves it to validation.
        base: the recipe that configurations are made of, its history without an order; None: the fitted one.
        watch: who is told; None: nobody.
        signal: by which the data count, if what amounts are worth is to be chosen where it leaves that open.

    Raises:
        SettingError: fewer trials than one.
    """

    effort: Effort = "quick"
    trials: int = 16
    order: Asked = None
    base: Recipe | None = None
    watch: ChoiceWatch | None = None
    signal: Signal | None = None

    def __post_init__(self) -> None:
        """Checks the effort and the trials."""
        if self.effort not in {"quick", "normal", "thorough"}:
            raise SettingError(
                "An effort is quick, normal or thorough", repr(self.effort), "Correct the name"
            )
        if self.trials < 1:
            raise SettingError("A search makes at least one trial", f"trials={self.trials}", "Try 16")


def chosen_for(
    recipe: Recipe, train: Dataset, *, split: str, choosing: Choosing
) -> tuple[Chosen | None, list[str]]:
    """Returns the choice for training data, None where none was made, and why.

    Args:
        recipe: what is fitted where nothing is chosen; its settings, or those of `choosing.base`, hold but
            for those that are chosen.
        train: the training side.
        split: how the test side was held out.
        choosing: how.
    """
    recipe = choosing.base or recipe
    if choosing.effort == "quick" or not recipe.tuned_on or recipe.model.spectral is None:
        return None, []
    if not FEWEST <= len(train) <= MOST:
        few = len(train) < FEWEST
        why = "are too few for a slice to say which suits them" if few else "are too many to search"
        return None, [f"No configuration was chosen: {len(train):,} interactions {why}."]
    from butaca.choose.choice import choose
    from butaca.choose.search import Search

    trials = choosing.trials if choosing.effort == "thorough" else 0
    search = Search(split, choosing.order, trials, recipe.model.seed, signal=choosing.signal)
    watch = choosing.watch
    if watch is not None:
        watch.begin(
            f"Choosing among {len(search.field(train))} configurations on validation, for about "
            f"{search.fits(train):.1f} times the training of one (--effort quick leaves it out)",
            search.steps(train),
        )
    advance: Callable[[], None] | None = None if watch is None else watch.advance
    try:
        choice = choose(recipe, train, search=search, advance=advance)
    except SplitError as error:
        return None, [f"No configuration was chosen: {error.rule}; received {error.received}."]
    finally:
        if watch is not None:
            watch.end()
    return choice, []
