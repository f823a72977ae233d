"""What can be told of a model's items without asking the model: cards, filters, the map."""

from __future__ import annotations

import math
import re
from functools import cached_property
from typing import Any

import numpy as np
import orjson

from butaca.recommend.recommender import Recommender
from butaca.serve.packed import Packed
from butaca.types import Floats

_YEAR = re.compile(r"\((\d{4})\)\s*$")


class Showcase:
    """The items of one model, as plain JSON values."""

    def __init__(self, recommender: Recommender) -> None:
        self.recommender = recommender
        self.catalogue = recommender.catalogue
        short = recommender.catalogue.filters.names()
        self._genres = next((name for name in short if "genre" in name.casefold()), None)

    def warm(self) -> None:
        """Make beforehand what the first requests would wait for."""
        self.recommender.recommend(None, 1)
        self.recommender.similar(self.catalogue.ids[0], 1)
        self.catalogue.search("a", 1)
        assert self.filters
        assert self.map

    def short(self, code: int) -> dict[str, Any]:
        """What a list of items shows of one."""
        return {
            "id": self.catalogue.ids[code],
            "title": self.catalogue.titles[code],
            "genres": self.genres(code),
            "year": self.year(code),
            "popularity": int(self.catalogue.popularity[code]),
        }

    def full(self, code: int) -> dict[str, Any]:
        """One item with every column of its table."""
        record = self.catalogue.record(code)
        features = {
            name: value for name, value in record.items() if name not in {"id", "title", "popularity"}
        }
        return {**self.short(code), "features": features}

    def genres(self, code: int) -> list[str]:
        """Labels of the column that holds genres; none without one."""
        return (
            [] if self._genres is None else [str(v) for v in self.catalogue.items.names(self._genres, code)]
        )

    def year(self, code: int) -> int | None:
        """By the column of years, else by the title's end."""
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
    def filters(self) -> Packed:
        """The columns that `where` takes."""
        columns: list[dict[str, Any]] = []
        for choice in self.catalogue.filters.choices():
            told: dict[str, Any] = {"name": choice.name, "kind": choice.kind}
            if choice.kind == "labels":
                told["values"] = [{"value": value, "count": count} for value, count in choice.values]
            else:
                told |= {"min": _whole(choice.low), "max": _whole(choice.high)}
            columns.append(told)
        return Packed.of(orjson.dumps({"columns": columns}))

    @cached_property
    def map(self) -> Packed:
        """Every item's place on the map, from 0 to 1."""
        x, y = (_unit(np.asarray(axis)) for axis in self._places())
        items = []
        for code, title in enumerate(self.catalogue.titles):
            genres = self.genres(code)
            items.append(
                {
                    "id": self.catalogue.ids[code],
                    "title": title,
                    "x": round(float(x[code]), 4),
                    "y": round(float(y[code]), 4),
                    "genre": genres[0] if genres else None,
                    "popularity": int(self.catalogue.popularity[code]),
                }
            )
        return Packed.of(orjson.dumps({"items": items}))

    def _places(self) -> tuple[Floats, Floats]:
        if hasattr(self.recommender, "catalogue_map"):
            places: tuple[Floats, Floats] = self.recommender.catalogue_map()
            return places
        centred = self.recommender.item_vectors - self.recommender.item_vectors.mean(axis=0)
        _, _, axes = np.linalg.svd(centred, full_matrices=False)
        placed = centred @ axes[:2].T
        return placed[:, 0], placed[:, min(1, placed.shape[1] - 1)]


def _whole(value: float | None) -> float | int | None:
    return int(value) if value is not None and value.is_integer() else value


def _unit(values: Floats) -> Floats:
    low, high = float(values.min()), float(values.max())
    return (values - low) / (high - low) if high > low else np.full_like(values, 0.5)
