"""This module turns what reads a person's history into arrays and numbers of a model's folder, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from butaca.model.order.attention import Attention, Block
from butaca.model.order.timescales import Timescales
from butaca.model.query import HistoryReader, HistoryWeights, RatingBins


def reader_arrays(reader: HistoryReader | None) -> dict[str, np.ndarray]:
    """Returns a reader's arrays by name."""
    if reader is None:
        return {}
    arrays: dict[str, np.ndarray | None] = {"query_history": reader.table}
    if isinstance(reader, HistoryWeights):
        arrays["query_rating"] = reader.rating
        arrays["query_rating_edges"] = None if reader.bins is None else reader.bins.edges
    elif isinstance(reader, Timescales):
        arrays["query_half_lives"] = reader.half_lives
        arrays["query_age_half_lives"] = reader.age_half_lives
        arrays["query_mix"] = reader.mix
    elif isinstance(reader, Attention):
        for i, block in enumerate(reader.blocks):
            arrays |= {f"query_block_{i}_{name}": array for name, array in block._asdict().items()}
    return {name: array for name, array in arrays.items() if array is not None}


def reader_numbers(reader: HistoryReader | None) -> dict[str, Any]:
    """Returns what of a reader is no array: its order and window, and the power of recency of one without."""
    if isinstance(reader, Timescales):
        return {"order": "timescales", "window": reader.window, "recency": 0.0}
    if isinstance(reader, Attention):
        numbers = {"order": "attention", "window": reader.window, "blocks": len(reader.blocks)}
        return {**numbers, "recency": 0.0}
    return {"recency": reader.recency if isinstance(reader, HistoryWeights) else 0.0}


def reader_from(numbers: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> HistoryReader | None:
    """Returns the reader of these arrays and numbers; None where the tower reads no history."""
    if "query_history" not in arrays:
        return None
    table, order = arrays["query_history"], numbers.get("order")
    if order == "timescales":
        return Timescales(
            table,
            arrays["query_half_lives"],
            arrays["query_age_half_lives"],
            arrays["query_mix"],
            int(numbers["window"]),
        )
    if order == "attention":
        blocks = range(int(numbers["blocks"]))
        held = [[arrays[f"query_block_{i}_{name}"] for name in Block._fields] for i in blocks]
        return Attention(table, tuple(Block(*block) for block in held), int(numbers["window"]))
    if order is not None:
        raise ValueError(f"a history read by {order!r}, which this butaca does not know")
    edges = arrays.get("query_rating_edges")
    bins = None if edges is None else RatingBins(edges)
    return HistoryWeights(table, bins, arrays.get("query_rating"), float(numbers["recency"]))
