"""This module shows a model's items without asking the model: cards, filters, the map."""

from __future__ import annotations

import math
import re
from functools import cached_property
from pathlib import Path
from typing import Any

import orjson

from butaca.catalogue.genres import find_genres
from butaca.catalogue.links import address, address_columns
from butaca.catalogue.nouns import Noun, noun_of
from butaca.errors import BundleError
from butaca.recommend.folder.bundle import read_manifest, version_of
from butaca.recommend.map import CatalogueMap
from butaca.recommend.recommender import Recommender
from butaca.serve.http.packed import Packed
from butaca.types import Floats

_YEAR = re.compile(r"\((\d{4})\)\s*$")


class Showcase:
    """A Showcase gives the items of one model as plain JSON values.

    Args:
        recommender: the model.
        folder: where it was read from; None keeps the map a sketch.
    """

    def __init__(self, recommender: Recommender, folder: Path | None = None) -> None:
        self.recommender = recommender
        self._folder, self._version = folder, recommender.version
        self._map = CatalogueMap(recommender, folder or Path())
        self._maps: dict[str, Packed] = {}
        self.catalogue = recommender.catalogue
        short = recommender.catalogue.filters.names()
        self._picture, self._link = address_columns(recommender.items)
        self._genres = next((name for name in short if "genre" in name.casefold()), None)

    def warm(self) -> None:
        """Makes beforehand what the first requests would wait for."""
        self.recommender.recommend(None, 1)
        self.recommender.similar(self.catalogue.ids[0], 1)
        self.catalogue.search("a", 1)
        assert self.filters
        self.map(draw=False)

    def short(self, code: int) -> dict[str, Any]:
        """Returns what a list of items shows of one."""
        return {
            "id": self.catalogue.ids[code],
            "title": self.catalogue.titles[code],
            "genres": self.genres(code),
            "year": self.year(code),
            "popularity": int(self.catalogue.popularity[code]),
            **self.addresses(code),
        }

    def addresses(self, code: int) -> dict[str, str]:
        """Returns where an item's picture and its own page are, those that the table has."""
        items = self.catalogue.items
        found = {
            "picture": address(items, self._picture, code=code),
            "link": address(items, self._link, code=code),
        }
        return {name: text for name, text in found.items() if text is not None}

    def kind(self, item: Any) -> dict[str, Any]:
        """Returns what a list that is looked at shows beside an item's title."""
        code = self.catalogue.items.ids.code(item)
        return {"genres": self.genres(code), "year": self.year(code), **self.addresses(code)}

    def full(self, code: int) -> dict[str, Any]:
        """Returns one item with every column of its table."""
        record = self.catalogue.record(code)
        features = {
            name: value for name, value in record.items() if name not in {"id", "title", "popularity"}
        }
        return {**self.short(code), "features": features}

    def genres(self, code: int) -> list[str]:
        """Returns the labels of the column that holds genres; none without one."""
        return (
            [] if self._genres is None else [str(v) for v in self.catalogue.items.names(self._genres, code)]
        )

    def year(self, code: int) -> int | None:
        """Returns an item's year, by the column of years, else by the title's end."""
        if self._years is not None and math.isfinite(self._years[code]):
            return int(self._years[code])
        found = _YEAR.search(self.catalogue.titles[code])
        return int(found[1]) if found else None

    @cached_property
    def _years(self) -> Floats | None:
        return next(
            (y for n in ("year", "release_year") if (y := self.catalogue.filters.numbers(n)) is not None),
            None,
        )

    @cached_property
    def _addressed(self) -> set[str]:
        """Returns the short names of the columns that hold addresses."""
        short = self.catalogue.filters.names()
        return {short[name] for name in (self._picture, self._link) if name is not None}

    @cached_property
    def noun(self) -> Noun:
        """Returns what the items are called."""
        return noun_of(self.recommender.items, self.recommender.about)

    @cached_property
    def filters(self) -> Packed:
        """Returns the columns that `where` takes."""
        columns = [
            choice.as_json()
            for choice in self.catalogue.filters.choices()
            if choice.name not in self._addressed
        ]
        return Packed.of(orjson.dumps({"columns": columns}))

    def map(self, draw: bool = True) -> Packed:
        """Returns every item's place on the map, from 0 to 1: a sketch at once; if asked, drawn meanwhile."""
        places, method = self._map.places()
        if draw and method == "PCA" and self._folder is not None and _version(self._folder) == self._version:
            self._map.start()
        packed = self._maps.get(method)
        if packed is None:
            packed = self._maps[method] = Packed.of(orjson.dumps(self._placed(places, method)))
        return packed

    def _placed(self, places: Floats, method: str) -> dict[str, Any]:
        items = []
        found = find_genres(self.catalogue.items, self.catalogue.popularity)
        main = dict(enumerate(() if found is None else found.names))
        of = [None] * len(places) if found is None else [main.get(place) for place in found.main.tolist()]
        for code, (x, y) in enumerate(places.tolist()):
            items.append(
                {
                    "id": self.catalogue.ids[code],
                    "title": self.catalogue.titles[code],
                    "x": round(x, 4),
                    "y": round(y, 4),
                    "genre": of[code],
                    "popularity": int(self.catalogue.popularity[code]),
                }
            )
        return {"method": method, "items": items}

    def close(self) -> None:
        """Stops drawing the map."""
        self._map.stop()


def _version(folder: Path) -> str:
    """Returns the version that a folder holds now; empty where it holds no model any more."""
    try:
        return version_of(read_manifest(folder))
    except BundleError:
        return ""
