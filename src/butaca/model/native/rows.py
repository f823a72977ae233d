"""This module writes the sums of rows of a table that histories and a softmax's positives need."""

from __future__ import annotations

from llvmlite import ir

from butaca.model.native.emit import F32, I32, I64, Emitter, Value
from butaca.model.native.passes import Tiles, end, start


def rows_part(module: ir.Module, tiles: Tiles, dim: int) -> ir.Function:
    """Writes what adds weight[p] table[source[p]] to row to[p] of a part's rows, for each p in order.

    A row belongs to one part, so its sum is that of the pairs in their order, whatever the threads.

    Buffers: rows [n, dim], which the result takes the place of, to [P], source [P], weight [P], table
    [m, dim]; the result [n, dim]. A weight of zero adds nothing, whatever the table has.
    """
    e, buffers, n_pairs, _, first, last = start(module, "rows", 6, tiles)
    _, to, source, weight, table, rows = buffers
    b = e.b
    with e.loop(n_pairs) as pair:
        row = _whole_at(e, to, pair.index)
        inside = b.and_(b.icmp_signed(">=", row, first), b.icmp_signed("<", row, last))
        with b.if_then(inside):
            factor = b.load(e.at(weight, (pair.index, 1)), typ=F32, align=4)
            with b.if_then(b.fcmp_unordered("!=", factor, F32(0.0))):
                whole = e.spread(e.at(weight, (pair.index, 1)))
                vector = e.at(table, (_whole_at(e, source, pair.index), dim))
                mine = e.at(rows, (row, dim))
                for left in range(0, dim, tiles.lanes):
                    place = e.at(mine, (left, 1))
                    e.store(e.fma(whole, e.load(e.at(vector, (left, 1))), e.load(place)), place)
    return end(e)


def _whole_at(e: Emitter, numbers: Value, index: Value) -> Value:
    return e.b.sext(e.b.load(e.b.gep(numbers, [index], source_etype=I32), typ=I32, align=4), I64)
