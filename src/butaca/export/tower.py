"""This module writes the query tower as ONNX: from what a person has had to the vector to search with.

    user    int64 [1]    row of the model's users, -1 for a new person
    items   int64 [n]    rows of items.parquet that the person has had, in any order; n may be 0
    values  float32 [n]  their ratings, nan where unknown
    times   double [n]   when, in seconds since 1970
    query   float32 [1, D], with the dimension that meets the items' own term

The arithmetic is that of model/query.py and model/order/, to which a test holds it. A model without such a
tower takes `user` alone.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from butaca.errors import SettingError
from butaca.export.attended import attention
from butaca.export.graph import Graph, Name
from butaca.extras import needed
from butaca.model.order.attention import Attention
from butaca.model.order.moments import DAY
from butaca.model.order.timescales import Timescales
from butaca.model.query import HistoryWeights, QueryTower
from butaca.recommend.parts import ModelParts

if TYPE_CHECKING:
    from onnx import ModelProto


def write_onnx(parts: ModelParts, folder: Path) -> None:
    """Writes query.onnx."""
    with needed("An export to ONNX"):
        import onnx

    onnx.save(tower_model(parts), str(folder / "query.onnx"))


def tower_model(parts: ModelParts) -> ModelProto:
    """Returns the query tower of a model as an ONNX model."""
    graph = Graph()
    user = graph.takes("user", "int64", shape=[1])
    tower = parts.query_tower
    query = _row(graph, user, parts.user_vectors) if tower is None else _query(graph, user, tower)
    if parts.item_bias is not None:
        query = graph.add("Concat", query, graph.of(np.ones((1, 1), np.float32)), axis=1)
    width = parts.item_vectors.shape[1] + (parts.item_bias is not None)
    return graph.model(query, "query", shape=[1, width], doc=__doc__ or "")


def _row(graph: Graph, user: Name, table: np.ndarray) -> Name:
    """Gives the row of a user [1, d]; the last of the table for whoever is not in it."""
    last = graph.of(np.array([len(table) - 1], np.int64))
    inside = graph.add(
        "And",
        graph.add("GreaterOrEqual", user, graph.of(np.zeros(1, np.int64))),
        graph.add("Less", user, last),
    )
    return graph.add("Gather", graph.of(table.astype(np.float32)), graph.add("Where", inside, user, last))


def _query(graph: Graph, user: Name, tower: QueryTower) -> Name:
    """Gives the query vector [1, D]."""
    items = graph.takes("items", "int64", shape=["n"])
    values = graph.takes("values", "float32", shape=["n"])
    times = graph.takes("times", "double", shape=["n"])
    x = _row(graph, user, tower.base)
    if tower.history is not None:
        x = graph.add("Add", x, _pooled(graph, tower, items=items, values=values, times=times))
    for i, (matrix, bias) in enumerate(tower.layers):
        x = x if i == 0 else graph.add("Relu", x)
        x = graph.add("Add", graph.add("MatMul", x, graph.of(matrix)), graph.of(bias))
    x = _unit(graph, x) if tower.unit else x
    x = graph.add("Mul", x, graph.of(np.float32(tower.scale)))
    if tower.head is not None:
        summed = graph.sum(graph.add("Gather", graph.of(tower.head), items), axis=0)
        head = graph.add("Mul", _unit(graph, summed), graph.of(np.float32(tower.head_scale)))
        x = graph.add("Concat", x, head, axis=1)
    if tower.reads_history and tower.trusted_from > 0:
        factors = np.array([tower.trust(n) for n in range(tower.trusted_from + 1)], np.float32)
        n = graph.add("Min", graph.add("Shape", items), graph.of(np.array([tower.trusted_from], np.int64)))
        x = graph.add("Mul", x, graph.add("Gather", graph.of(factors), n))
    return x


def _pooled(graph: Graph, tower: QueryTower, *, items: Name, values: Name, times: Name) -> Name:
    """Gives the trained half's vector of a history [1, d]."""
    reader = tower.history
    if isinstance(reader, HistoryWeights):
        return _weighted(graph, reader, items=items, values=values, times=times)
    if isinstance(reader, Timescales):
        return _timescales(graph, reader, items=items, times=times)
    if isinstance(reader, Attention):
        return attention(graph, reader, items=items, times=times)
    raise SettingError(
        "The query tower as ONNX is one whose history is a bag, timescales or attention",
        type(reader).__name__,
        "Export the vectors instead (--to parquet)",
    )


def _weighted(graph: Graph, reader: HistoryWeights, *, items: Name, values: Name, times: Name) -> Name:
    """Gives sum_i w_i h_i / sqrt(sum_i w_i)."""
    weight = graph.add("Cast", graph.add("Greater", times, graph.of(-np.inf)), to=graph.kind("float32"))
    if reader.bins is not None and reader.rating is not None:
        edges = graph.of(reader.bins.edges[None, :].astype(np.float32))
        over = graph.add("GreaterOrEqual", graph.column(values), edges)
        bins = graph.sum(graph.add("Cast", over, to=graph.kind("int64")), axis=1, keep=False)
        middle = graph.of(np.array(len(reader.bins.edges) // 2, np.int64))
        bins = graph.add("Where", graph.add("IsNaN", values), middle, bins)
        rated = graph.add("Gather", graph.of(np.exp(reader.rating)), bins)
        weight = graph.add("Mul", weight, rated)
    if reader.recency:
        aged = graph.add("Add", graph.of(np.float32(1)), ages(graph, times))
        weight = graph.add("Mul", weight, graph.add("Pow", aged, graph.of(np.float32(-reader.recency))))
    rows = graph.add("Mul", graph.add("Gather", graph.of(reader.table), items), graph.column(weight))
    total = graph.add("Max", graph.sum(weight, axis=0), graph.of(np.array([1e-12], np.float32)))
    return graph.add("Div", graph.sum(rows, axis=0), graph.add("Sqrt", total))


def _timescales(graph: Graph, reader: Timescales, *, items: Name, times: Name) -> Name:
    """Gives the sum over scales; places and the items of a moment come from comparing all times."""
    place, size = graph.order(times)
    window = graph.of(np.array(reader.window, np.int64))
    sums = graph.of(reader._up_to)
    after = graph.add("Gather", sums, graph.add("Min", graph.add("Add", place, size), window))
    before = graph.add("Gather", sums, graph.add("Min", place, window))
    sizes = graph.column(graph.add("Cast", size, to=graph.kind("double")))
    of_place = graph.add("Div", graph.add("Sub", after, before), sizes)
    left = graph.add("Cast", graph.add("Sub", window, place), to=graph.kind("double"))
    inside = graph.add("Div", graph.column(left), sizes)
    inside = graph.add("Clip", inside, graph.of(np.float64(0)), graph.of(np.float64(1)))
    rates = graph.of((-1.0 / reader.age_half_lives.astype(np.float64))[None, :] * np.log(2.0))
    aged = graph.add("Cast", graph.column(ages(graph, times)), to=graph.kind("double"))
    of_age = graph.add("Mul", graph.add("Exp", graph.add("Mul", aged, rates)), inside)
    weights = graph.add("Cast", graph.add("Concat", of_place, of_age, axis=1), to=graph.kind("float32"))
    kernel = graph.add("MatMul", weights, graph.of(reader.mix))
    rows = graph.add("Mul", kernel, graph.add("Gather", graph.of(reader.table), items))
    return graph.sum(rows, axis=0)


def ages(graph: Graph, times: Name) -> Name:
    """Gives the days before the latest time, float32 [n]."""
    since = graph.add("Sub", graph.latest(times), times)
    return graph.add("Cast", graph.add("Div", since, graph.of(np.float64(DAY))), to=graph.kind("float32"))


def _unit(graph: Graph, x: Name) -> Name:
    """Gives rows [1, d] at length 1."""
    squares = graph.sum(graph.add("Mul", x, x), axis=1)
    length = graph.add("Sqrt", graph.add("Add", squares, graph.of(np.float32(1e-12))))
    return graph.add("Div", x, length)
