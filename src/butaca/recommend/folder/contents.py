"""This module turns a model's parts into the arrays and JSON values of its folder, and back."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from types import MappingProxyType
from typing import Any

import numpy as np

from butaca.data.bags import Bags, Column
from butaca.data.dataset import Entities
from butaca.data.vocabulary import Vocabulary
from butaca.model.cold import ColdItems
from butaca.model.features import Bag, Buckets, Category, Encoder, Feature, Id, Number, Text
from butaca.model.pairs import ItemPairs
from butaca.model.query import QueryTower
from butaca.recommend.folder.readers import reader_arrays, reader_from, reader_numbers
from butaca.recommend.parts import ModelParts

#: Features that a folder may name.
FEATURES: Mapping[str, type[Feature]] = {
    kind.__name__: kind for kind in (Bag, Buckets, Category, Id, Number, Text)
}


def as_arrays(parts: ModelParts) -> dict[str, np.ndarray]:
    """Returns vectors, seen items, popularity, held-out pairs and the query tower, by name."""
    arrays: dict[str, np.ndarray] = {
        "user_vectors": parts.user_vectors,
        "item_vectors": parts.item_vectors,
        "seen_items": parts.seen.items,
        "seen_start": parts.seen.start,
        "popularity": parts.popularity,
    }
    optional = {
        "item_bias": parts.item_bias,
        "seen_value": parts.seen.value,
        "seen_time": parts.seen.time,
        "seen_weight": parts.seen.weight,
        "test_weight": parts.test_weight,
    }
    if parts.seen.negatives is not None:
        optional |= {
            "negative_items": parts.seen.negatives.items,
            "negative_start": parts.seen.negatives.start,
        }
    arrays |= {name: array for name, array in optional.items() if array is not None}
    if parts.test is not None:
        arrays["test_user"], arrays["test_item"] = parts.test
    arrays |= _tower_arrays(parts.query_tower)
    if parts.cold is not None:
        arrays |= {"cold_weights": parts.cold.weights, "cold_intercept": parts.cold.intercept}
    return {name: np.ascontiguousarray(array) for name, array in arrays.items()}


def _tower_arrays(tower: QueryTower | None) -> dict[str, np.ndarray]:
    if tower is None:
        return {}
    arrays = {"query_base": tower.base, **reader_arrays(tower.history)}
    if tower.head is not None:
        arrays["query_head"] = tower.head
    if tower.pairs is not None:
        arrays |= {
            "pairs_start": tower.pairs.start,
            "pairs_item": tower.pairs.item,
            "pairs_weight": tower.pairs.weight,
        }
    for i, (weight, bias) in enumerate(tower.layers):
        arrays |= {f"query_layer_{i}_weight": weight, f"query_layer_{i}_bias": bias}
    return arrays


def tower_numbers(tower: QueryTower | None) -> dict[str, Any] | None:
    """Returns the numbers of a query tower, all of it that is no array."""
    if tower is None:
        return None
    return {
        "layers": len(tower.layers),
        "unit": tower.unit,
        "scale": tower.scale,
        "head_scale": tower.head_scale,
        "trusted_from": tower.trusted_from,
        "trust_power": tower.trust_power,
        "pairs_scale": tower.pairs_scale,
        **({"pairs_half_life": tower.pairs.half_life} if tower.pairs and tower.pairs.reads_order else {}),
        **reader_numbers(tower.history),
    }


def tower_from(numbers: Mapping[str, Any] | None, arrays: Mapping[str, np.ndarray]) -> QueryTower | None:
    """Returns a query tower of its numbers and arrays; None where the model reads no history."""
    if numbers is None:  # the model reads no history, or the folder is older than those that do
        return None
    layers = range(int(numbers["layers"]))
    return QueryTower(
        arrays["query_base"],
        reader_from(numbers, arrays),
        tuple((arrays[f"query_layer_{i}_weight"], arrays[f"query_layer_{i}_bias"]) for i in layers),
        bool(numbers["unit"]),
        float(numbers["scale"]),
        arrays.get("query_head"),
        float(numbers["head_scale"]),
        int(numbers.get("trusted_from", 0)),
        float(numbers.get("trust_power", 0.0)),
        pairs_from(
            arrays,
            n_items=len(arrays["item_vectors"]),
            half_life=float(numbers.get("pairs_half_life", math.inf)),
        ),
        float(numbers.get("pairs_scale", 0.0)),
    )


def pairs_from(
    arrays: Mapping[str, np.ndarray], *, n_items: int, half_life: float = math.inf
) -> ItemPairs | None:
    """Returns the pairs of items of a folder; None where the model has none.

    Raises:
        ValueError: they are not of so many items, or their half-life is none.
    """
    if "pairs_start" not in arrays:
        return None
    start, item, weight = arrays["pairs_start"], arrays["pairs_item"], arrays["pairs_weight"]
    inside = not len(item) or (item.min() >= 0 and item.max() < n_items)
    rising = len(start) == n_items + 1 and start[0] == 0 and (np.diff(start) >= 0).all()
    numbers = np.isfinite(weight).all() and weight.dtype == np.float32 and item.dtype == np.int32
    if not (inside and rising and numbers and start[-1] == len(item) == len(weight)):
        raise ValueError(f"pairs of items that are not of {n_items} items")
    if not half_life > 0:
        raise ValueError(f"pairs of items with a half-life of {half_life}")
    return ItemPairs(start, item, weight, half_life)


def cold_as_json(cold: ColdItems | None) -> dict[str, Any] | None:
    """Returns the map from features as JSON values, all of it that is no array."""
    if cold is None:
        return None
    return {
        "history": cold.history,
        "head": cold.head,
        "items": cold.items,
        "encoders": [
            {
                "kind": type(encoder.feature).__name__,
                "feature": asdict(encoder.feature),
                "values": _plain(encoder.vocabulary.values),
                "width": encoder.width,
                "mean": encoder.mean,
                "scale": encoder.scale,
            }
            for encoder in cold.encoders
        ],
    }


def cold_from(stored: Mapping[str, Any] | None, arrays: Mapping[str, np.ndarray]) -> ColdItems | None:
    """Returns the map from features; None where the model has none."""
    if stored is None:
        return None
    encoders = []
    for one in stored["encoders"]:
        fields = {n: tuple(v) if isinstance(v, list) else v for n, v in one["feature"].items()}
        kind: Any = FEATURES[one["kind"]]
        feature: Feature = kind(**fields)
        vocabulary = Vocabulary(_array(one["values"]))
        encoders.append(Encoder(feature, vocabulary, one["width"], one["mean"], one["scale"]))
    parts = (arrays["cold_weights"], arrays["cold_intercept"])
    return ColdItems(tuple(encoders), *parts, stored["history"], stored["head"], stored["items"])


def entities_as_json(entities: Entities) -> dict[str, Any]:
    """Returns a vocabulary and its table."""
    columns = {}
    for name, column in entities.columns.items():
        if isinstance(column, Bags):
            columns[name] = {
                "dtype": _kind(column.values),
                "bags": _plain(column.values),
                "offsets": column.offsets.tolist(),
            }
        else:
            columns[name] = {"dtype": _kind(column), "values": _plain(column)}
    return {
        "key": entities.key,
        "ids": _plain(entities.ids.values),
        "columns": columns,
        "labels": {name: list(words) for name, words in entities.labels.items()},
    }


def entities_from(stored: Mapping[str, Any]) -> Entities:
    """Returns the entities that `entities_as_json` gave the values of."""
    columns: dict[str, Column] = {}
    for name, column in stored["columns"].items():
        if "bags" in column:
            columns[name] = Bags(
                _array(column["bags"], column["dtype"]), np.asarray(column["offsets"], dtype=np.int64)
            )
        else:
            columns[name] = _array(column["values"], column["dtype"])
    labels = {name: tuple(words) for name, words in stored["labels"].items()}
    ids = Vocabulary(_array(stored["ids"]))
    return Entities(stored["key"], ids, MappingProxyType(columns), MappingProxyType(labels))


def _kind(column: np.ndarray) -> str:
    return "text" if column.dtype == object or column.dtype.kind == "U" else column.dtype.name


def _plain(values: np.ndarray) -> list[Any]:
    if values.dtype.kind == "f":
        return [None if math.isnan(v) else v for v in values.tolist()]
    return list(values.tolist())


def _array(values: list[Any], kind: str | None = None) -> np.ndarray:
    if kind is None:
        kind = "int64" if values and all(isinstance(v, int) for v in values) else "text"
    if kind == "text":
        out = np.empty(len(values), dtype=object)
        out[:] = values
        return out
    return np.array([math.nan if v is None else v for v in values], dtype=kind)
