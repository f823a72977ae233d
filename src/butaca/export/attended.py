"""This module writes attention over a history as ONNX: the arithmetic of model/order/attention.py."""

from __future__ import annotations

import numpy as np

from butaca.export.graph import Graph, Name
from butaca.model.order.attention import TIME_UNITS, Attention, Block
from butaca.model.order.moments import DAY


def attention(graph: Graph, reader: Attention, *, items: Name, times: Name) -> Name:
    """Gives the vector of a history [1, d]: the mean over its latest moment, after all blocks."""
    place, size = graph.order(times)
    fits = graph.add(
        "LessOrEqual", graph.add("Add", place, size), graph.of(np.array(reader.window, np.int64))
    )
    first = graph.add("Equal", place, graph.of(np.array(0, np.int64)))
    read = graph.add("Or", fits, first)
    items, times, behind, size = (graph.add("Compress", x, read, axis=0) for x in (items, times, place, size))

    halved = graph.add("Sub", graph.add("Cast", size, to=graph.kind("float32")), graph.of(np.float32(1)))
    middle = graph.add("Mul", halved, graph.of(np.float32(0.5)))
    at = graph.add("Neg", graph.add("Add", graph.add("Cast", behind, to=graph.kind("float32")), middle))
    none = graph.of(np.float32(0))
    apart = graph.add("Max", graph.add("Sub", graph.column(at), graph.row(at)), none)
    since = graph.add("Div", graph.add("Sub", times, graph.latest(times)), graph.of(np.float64(DAY)))
    days = graph.add("Cast", since, to=graph.kind("float32"))
    between = graph.add("Max", graph.add("Sub", graph.column(days), graph.row(days)), none)
    logs = []
    for unit in TIME_UNITS:
        scaled = graph.add("Mul", between, graph.of(np.float32(1 / unit)))
        logs.append(graph.add("Log", graph.add("Add", scaled, graph.of(np.float32(1)))))
    seen = graph.add("LessOrEqual", graph.column(behind), graph.row(behind))

    x = graph.add("Gather", graph.of(reader.table), items)
    for block in reader.blocks:
        x = graph.add("Add", x, _block(graph, x, block, apart=apart, logs=logs, seen=seen))
    last = graph.add("Equal", behind, graph.of(np.array(0, np.int64)))
    weight = graph.column(graph.add("Cast", last, to=graph.kind("float32")))
    n = graph.add("Max", graph.sum(weight, axis=0), graph.of(np.float32(1)))
    return graph.add("Div", graph.sum(graph.add("Mul", x, weight), axis=0), n)


def _block(graph: Graph, x: Name, block: Block, *, apart: Name, logs: list[Name], seen: Name) -> Name:
    """Gives what a block adds [n, d]."""
    n_heads, window = block.places.shape
    d = block.inward.shape[0]
    of_head = d // n_heads
    x = _normalised(graph, x)

    def inward(part: int, bias: int | None) -> Name:
        out = graph.add(
            "MatMul", x, graph.of(np.ascontiguousarray(block.inward[:, part * d : (part + 1) * d]))
        )
        if bias is None:
            return out
        return graph.add(
            "Add", out, graph.of(np.ascontiguousarray(block.inward_bias[bias * d : (bias + 1) * d]))
        )

    gate, value, query, key = inward(0, 0), inward(1, 1), inward(2, 2), inward(3, None)
    gate = graph.add("Mul", gate, graph.add("Sigmoid", gate))
    low_f = graph.add("Floor", graph.add("Min", apart, graph.of(np.float32(window - 1))))
    part = graph.add("Sub", graph.add("Min", apart, graph.of(np.float32(window - 1))), low_f)
    low = graph.add("Cast", low_f, to=graph.kind("int64"))
    next_ = graph.add(
        "Min",
        graph.add("Add", low, graph.of(np.array(1, np.int64))),
        graph.of(np.array(window - 1, np.int64)),
    )
    rest = graph.add("Sub", graph.of(np.float32(1)), part)
    heads = []
    for h in range(n_heads):

        def some(of: Name, h: int = h) -> Name:
            ends = (np.array([n * of_head], np.int64) for n in (h, h + 1))
            return graph.add("Slice", of, *(graph.of(end) for end in ends), graph.of(np.array([1], np.int64)))

        places = graph.of(np.ascontiguousarray(block.places[h]))
        bias = graph.add(
            "Add",
            graph.add("Mul", graph.add("Gather", places, low), rest),
            graph.add("Mul", graph.add("Gather", places, next_), part),
        )
        product = graph.add("MatMul", some(query), graph.add("Transpose", some(key), perm=[1, 0]))
        logits = graph.add("Add", graph.add("Mul", product, graph.of(np.float32(of_head**-0.5))), bias)
        for i, log in enumerate(logs):
            logits = graph.add("Sub", logits, graph.add("Mul", log, graph.of(np.float32(block.times[h, i]))))
        logits = graph.add("Where", seen, logits, graph.of(np.float32(-1e9)))
        heads.append(graph.add("MatMul", graph.add("Softmax", logits, axis=-1), some(value)))
    joined = heads[0] if n_heads == 1 else graph.add("Concat", *heads, axis=1)
    read = graph.add("Mul", _normalised(graph, joined), gate)
    out = graph.add("MatMul", read, graph.of(block.outward))
    return graph.add("Add", out, graph.of(block.outward_bias))


def _normalised(graph: Graph, x: Name) -> Name:
    """Gives rows with mean 0 and variance 1."""
    along = graph.of(np.array([1], np.int64))
    x = graph.add("Sub", x, graph.add("ReduceMean", x, along, keepdims=1))
    variance = graph.add("ReduceMean", graph.add("Mul", x, x), along, keepdims=1)
    return graph.add("Div", x, graph.add("Sqrt", graph.add("Add", variance, graph.of(np.float32(1e-6)))))
