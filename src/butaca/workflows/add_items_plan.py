"""This module holds an AddItemsPlan, what `butaca add-items` decides before anything is read, and does it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from butaca.checks import path_of
from butaca.data.tables import read_entities
from butaca.errors import SettingError
from butaca.recommend.additions import Additions, with_items
from butaca.recommend.folder.bundle import check_free
from butaca.recommend.recommender import Recommender


@dataclass(frozen=True)
class AddItemsPlan:
    """An AddItemsPlan holds every decision of letting new items into a model.

    Attributes:
        model: its folder.
        source: a table with one row for each new item.
        out: folder for the new model; None: it replaces the one that is there.
        encoding: of a text file that is not UTF-8.
    """

    model: Path
    source: str
    out: Path | None = None
    encoding: str | None = None

    def __post_init__(self) -> None:
        """Takes the folders as paths."""
        object.__setattr__(self, "model", path_of("model", self.model))
        if self.out is not None:
            object.__setattr__(self, "out", path_of("out", self.out))

    @property
    def folder(self) -> Path:
        """Returns where the new model goes."""
        return self.model if self.out is None else self.out


def carry_out_add_items(plan: AddItemsPlan) -> tuple[Recommender, Additions]:
    """Lets new items into a model, and saves it where it is another; returns both, nothing is trained.

    Raises:
        ButacaError: the folder or the table can't be read, or something else lies where the model goes.
    """
    if plan.out is not None:
        check_free(plan.out)
    recommender = Recommender.load(plan.model)
    ids = recommender.items.ids
    table = read_entities(
        plan.source, "item", key=recommender.items.key, is_text=ids.is_text, encoding=plan.encoding
    )
    if not len(table):
        raise SettingError("A table of new items has at least one row", f"{plan.source}, which has none")
    longer, became = with_items(recommender, table)
    if became.new or plan.out is not None:
        added = {"source": Path(plan.source).name, "items": len(became.new)}
        about = {**recommender.about, "added": [*recommender.about.get("added", []), added]}
        longer = replace(longer, about=about)
        longer.save(plan.folder)
    return longer, became
