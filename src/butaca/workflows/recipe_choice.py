"""This module holds a RecipeChoice: which recipe a plan trains, and what replaces its own settings."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from butaca.checks import at_least, check_type
from butaca.data.splits import COMES_NEXT
from butaca.errors import SettingError
from butaca.workflows.loading import ToldBy

if TYPE_CHECKING:  # loads JAX
    from butaca.model.features import Order
    from butaca.recipes import Recipe

SoftmaxName: TypeAlias = Literal["full", "sampled", "in_batch"]

#: How a history is read: in its order, or "none" as a bag.
OrderName: TypeAlias = Literal["timescales", "attention", "none"]


@dataclass(frozen=True)
class RecipeChoice:
    """A RecipeChoice says which recipe trains, and what replaces its own settings; None leaves them.

    Attributes:
        name: of the recipe.
        settings: a file that `butaca tune` wrote.
        order: how the recipe's history is read; None leaves it to the split: in its order where what is asked
            is what comes next ("last", "temporal", or from a moment on), unless settings are named.
        epochs, batch_size, dim, softmax: instead of the recipe's.
    """

    name: str = "default"
    _: KW_ONLY
    settings: Path | None = None
    order: OrderName | None = None
    epochs: int | None = None
    batch_size: int | None = None
    dim: int | None = None
    softmax: SoftmaxName | None = None

    def __post_init__(self) -> None:
        """Checks that what replaces a setting is a whole number above 0."""
        for name in ("epochs", "batch_size", "dim"):
            at_least(name, getattr(self, name), least=1)
        if self.order is not None:
            check_type("order", self.order, hint=OrderName)
        if self.settings is not None and self.order not in {None, "none"}:
            raise SettingError(
                "Settings that a search found are those of a history without an order",
                f"order={self.order!r} with {self.settings}",
                "Leave out one of the two",
            )

    @property
    def is_plain(self) -> bool:
        """Says whether it is the default recipe, of which nothing but the order is settled."""
        settled = (self.settings, self.epochs, self.batch_size, self.dim, self.softmax)
        return self.name == "default" and all(one is None for one in settled)

    def order_for(self, split: ToldBy) -> Order | None:
        """Returns the order in which the history is read where data are split so; None: as a bag."""
        if self.order == "none" or self.settings is not None:
            return None
        if self.order is not None:
            return self.order
        return "timescales" if self.name == "default" and split in COMES_NEXT else None

    def recipe(self, seed: int = 42, *, split: ToldBy = "random") -> Recipe:
        """Returns the recipe with these settings, and this seed of training.

        Args:
            seed: of training.
            split: how the data are split, which says what is asked of the model.

        Raises:
            SettingError: no recipe has the name, or the file of settings can't be read.
        """
        from butaca import recipes

        chosen = recipes.recipe(self.name)
        order = self.order_for(split)
        if order is not None:
            chosen = chosen.ordered(order)
        if self.settings is not None:
            from butaca.tune import load_settings

            chosen = load_settings(self.settings, chosen)
        model = chosen.model
        return replace(
            chosen,
            model=replace(model, seed=seed, dim=self.dim or model.dim, softmax=self.softmax or model.softmax),
            epochs=self.epochs or chosen.epochs,
            steps=0 if self.epochs else chosen.steps,
            batch_size=self.batch_size or chosen.batch_size,
        )
