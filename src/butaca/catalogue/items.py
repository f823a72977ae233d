"""This module finds items as people ask for them: by id, by title, as they type, by what is known."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from butaca.catalogue.filters import YEARS, Filters, Where
from butaca.catalogue.titles import Titles
from butaca.checks import several
from butaca.data.bags import Bags, Column
from butaca.data.columns.titles import title_of
from butaca.data.dataset import Entities
from butaca.types import Bools, Codes, Floats


class Catalogue:
    """A Catalogue finds items by code, and codes by what people ask.

    Args:
        items: the items.
        popularity: training interactions of each [N].
    """

    def __init__(self, items: Entities, popularity: Floats) -> None:
        self.items = items
        self.popularity = popularity
        self.ids: list[Any] = items.ids.values.tolist()
        self.titles = item_titles(items)

    @functools.cached_property
    def filters(self) -> Filters:
        """Returns what makes masks of conditions on the items' columns."""
        title = title_of(self.items)
        return Filters(self.items, apart=() if title is None else (title,))

    @functools.cached_property
    def _search(self) -> Titles:
        return Titles(self.titles, self.popularity)

    def find(self, asked: Any) -> int:
        """Returns the code of the item with this id, or with this title in a person's spelling.

        Raises:
            UnknownEntityError: none or several fit.
        """
        code = self.items.ids.code(asked)
        return code if code != self.items.ids.unknown else self._search.find(str(asked))

    def known(self, asked: Any) -> int | None:
        """Returns the code of the one item of this id or title; None if there is none."""
        code = self.items.ids.code(asked)
        if code != self.items.ids.unknown:
            return code
        found = self._search.match(str(asked))
        return found[0] if len(found) == 1 else None

    def matches(self, asked: Sequence[Any]) -> Codes:
        """Returns the codes of ids, or of all titles that these may mean; nothing for what is not there."""
        out: list[int] = []
        for one in several("A list of items", asked):
            code = self.items.ids.code(one)
            out += [code] if code != self.items.ids.unknown else self._search.match(str(one))
        return np.array(out, dtype=np.int32)

    def search(self, typed: str, k: int = 10) -> list[int]:
        """Returns the codes of items as a person types their titles; nothing typed gives the most popular."""
        return [int(code) for code in self._search.search(typed, k)]

    def allowed(self, where: Where | None, allow: Sequence[Any] | None) -> Bools | None:
        """Returns the items that meet the conditions and are among those named, [N]; None: all."""
        if where is None and allow is None:
            return None
        out = np.ones(len(self.items), dtype=bool) if where is None else self.filters.mask(where)
        if allow is not None:
            named = np.zeros(len(self.items), dtype=bool)
            named[self.matches(allow)] = True
            out &= named
        return out

    def record(self, code: int) -> dict[str, Any]:
        """Returns what is known of an item as plain values: id, title, popularity, columns by short name."""
        out: dict[str, Any] = {
            "id": self.ids[code],
            "title": self.titles[code],
            "popularity": int(self.popularity[code]),
        }
        title = title_of(self.items)
        for name, short in self.filters.names().items():
            if short in out or name == title:
                continue
            column = self.items.columns[name]
            if isinstance(column, Bags) or name in self.items.labels:
                words = self.items.names(name, code)
                out[short] = words if isinstance(column, Bags) else words[0]
            else:
                out[short] = _plain(as_written(column[code]), short in YEARS)
        return out


def as_written(value: Any) -> Any:
    """Returns a cell as plain Python: a float32 by its own digits, 0.1 and not 0.10000000149011612.

    >>> as_written(np.array([0.1], dtype=np.float32)[0]), as_written(np.array([7])[0]), as_written("x")
    (0.1, 7, 'x')
    """
    if isinstance(value, np.floating):
        return float(str(value))
    return value.item() if isinstance(value, np.generic) else value


def _plain(value: Any, year: bool) -> Any:
    """Returns a cell as a JSON value; a year is whole, and one of 0 or below is not known."""
    if isinstance(value, float) and value != value:
        return None
    if year and isinstance(value, int | float):
        return int(value) if value > 0 else None
    return value


def _texts(column: Column) -> list[Any]:
    return [] if isinstance(column, Bags) else column.tolist()


def item_titles(items: Entities) -> list[str]:
    """Returns what a person would call each item: its title, or its id where that is blank."""
    ids, name = items.ids.values.tolist(), title_of(items)
    titles = ids if name is None else _texts(items[name])
    texts = ["" if t is None else str(t).strip() for t in titles]
    return [text or str(i) for text, i in zip(texts, ids, strict=True)]
