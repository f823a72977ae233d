"""This module finds what people call an item: its title, under the names that tables give it."""

from __future__ import annotations

import re
from types import MappingProxyType

import numpy as np

from butaca.data.bags import Bags, Column
from butaca.data.columns.names import plain
from butaca.data.dataset import Entities
from butaca.errors import TableError
from butaca.types import Values

#: Columns that hold what a person would call an item, in order of preference.
TITLE_COLUMNS = ("movie_title", "title", "name", "titulo", "título", "nombre")
_NOUNS = (
    "movie film item product book track song artist album game show series article recipe venue place anime "
    "business restaurant course podcast episode video stock producto articulo libro pelicula receta lugar"
)
_NAMES = (
    *(plain(name) for name in TITLE_COLUMNS),
    *(noun + word for word in ("title", "name") for noun in _NOUNS.split()),
    *(word + noun for word in ("titulo", "nombre") for noun in _NOUNS.split()),
    *(
        [
            "titel",
            "titre",
            "titolo",
            "bezeichnung",
            "denominacion",
            "designation",
            "nom",
            "nome",
            "headline",
            "originaltitle",
        ]
    ),
    *(["description", "descripcion"]),
)
_YEAR = re.compile(r".*\((1[89]\d\d|20\d\d)\)\s*$")
YEARLY = 0.9  # share of titles that end in a year from which on it is theirs


def title_of(items: Entities) -> str | None:
    """Returns the name of the column of titles, in any case and language; None where there is none."""
    texts = [n for n, c in items.columns.items() if not isinstance(c, Bags) and c.dtype.kind in "OU"]
    for name in TITLE_COLUMNS:
        if name in texts or name == items.key:
            return name
    forms = {plain(name): name for name in reversed(texts)}
    return next((forms[name] for name in _NAMES if name in forms), None)


def titled(items: Entities, asked: str | None = None) -> tuple[Entities, list[str]]:
    """Returns items whose title is the column asked for, called "title", with the year in it; and notes.

    Where nine in ten titles end in a year in brackets, as "Heat (1995)", and no column is one, it is made.

    Raises:
        TableError: there is no such column.
    """
    notes: list[str] = []
    columns: dict[str, Column] = dict(items.columns)
    if asked is not None:
        found = asked if asked in columns else next((n for n in columns if plain(n) == plain(asked)), None)
        if found is None or isinstance(columns[found], Bags):
            raise TableError(
                "The title column is a column of text of the items' table",
                f"{asked!r}, while the table has {', '.join([items.key, *columns][:10])}",
                "Name one of those (title_column=, on the command line: --title-column); the table is given "
                "with items= or --items",
            )
        if found not in TITLE_COLUMNS[:2]:
            others = {n: f"{n}_2" for n in TITLE_COLUMNS[:2]} | {found: "title"}
            columns = {others.get(name, name): column for name, column in columns.items()}
            notes.append(f"title: column {found!r} (as asked), called 'title' from here on")
    items = Entities(items.key, items.ids, MappingProxyType(columns), items.labels)
    title = title_of(items)
    if asked is None and title is not None and title not in TITLE_COLUMNS:
        notes.append(f"title: column {title!r} (by name)")
    year = None if title not in columns or any(map(_is_year, columns)) else _years(columns[title])
    if year is None:
        return items, notes
    columns["year"] = year
    notes.append(f"item feature 'year': whole numbers, from what stands in brackets in {title!r}")
    return Entities(items.key, items.ids, MappingProxyType(columns), items.labels), notes


def _is_year(name: str) -> bool:
    return plain(name).endswith(("year", "anio", "ano", "jahr", "annee"))


def _years(titles: Column) -> Values | None:
    """Returns the year that each title ends in, None where most have none."""
    texts = list(map(str, titles.values if isinstance(titles, Bags) else titles.tolist()))
    found = [_YEAR.fullmatch(t) for t in texts]
    if sum(y is not None for y in found) < max(YEARLY * sum(map(bool, texts)), 1):
        return None
    years = np.array([int(y[1]) if y else np.nan for y in found], dtype=np.float32)
    return years if np.isnan(years).any() else years.astype(np.int64)
