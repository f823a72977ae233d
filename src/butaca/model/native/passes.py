"""This module writes the two passes over a part of the catalogue, tile by tile within the registers.

A tile of logits is computed, becomes exponentials and is used up without leaving the processor: it lies
in registers in the first pass, and in 9 KB of the first-level cache in the second. So the products run at
the processor's rate for products, whereas a library's has to write every logit and read it again.

Numbers are to base 2 here: queries, terms and shifts come multiplied by log2(e).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from llvmlite import ir

from butaca.model.native.emit import I64, POINTER, Count, Emitter, Value

#: Parts that the catalogue is cut into, each with sums of its own: the bits do not depend on the threads.
PARTS = 16

#: Candidates of a block: their vectors, gradients and probabilities stay in the first-level cache.
BLOCK = 48


@dataclass(frozen=True)
class Tiles:
    """Says what a processor's registers hold.

    A vector has `lanes` floats. A tile of logits is `logit_rows` candidates by `panel` vectors of queries; a
    tile of a gradient is `rows` of its rows by `columns` vectors.
    """

    lanes: int
    logit_rows: int
    panel: int
    rows: int
    columns: int

    @property
    def queries(self) -> int:
        """Returns the number of queries of a panel."""
        return self.lanes * self.panel


WIDE = Tiles(lanes=16, logit_rows=8, panel=3, rows=6, columns=4)  # for 32 registers of 512 bits
NARROW = Tiles(lanes=8, logit_rows=4, panel=3, rows=6, columns=2)  # for 16 registers of 256 bits


def sums_part(module: ir.Module, tiles: Tiles, dim: int) -> ir.Function:
    """Writes the pass that finds each query's largest logit in a part, and its sum of exponentials.

    Buffers: queries by panel [panels, dim, 48], candidates [C, dim], terms [C]; the largest and the sums
    [PARTS, panels x 48], of which the part has a row.
    """
    e, buffers, panels, part, first, last = start(module, "sums", 5, tiles)
    across, candidates, added, largest, total = buffers
    b, width = e.b, tiles.queries
    row = b.mul(part, b.mul(panels, I64(width)))

    def tile(panel: Value, rows: int, at: Value, state: list[Value]) -> list[Value]:
        tops, sums = state[: tiles.panel], state[tiles.panel :]
        start = [[e.spread(e.at(added, (at, 1), (r, 1)))] * tiles.panel for r in range(rows)]
        logits = _logits(e, tiles, dim, panel, e.at(candidates, (at, dim)), start)
        for v, before in enumerate(tops):
            for r in range(rows):
                tops[v] = e.larger(tops[v], logits[r][v])
            sums[v] = b.fmul(sums[v], e.exp2(b.fsub(before, tops[v])))
            for r in range(rows):
                sums[v] = b.fadd(sums[v], e.exp2(b.fsub(logits[r][v], tops[v])))
        return tops + sums

    with e.loop(panels) as outer:
        panel = e.at(across, (outer.index, dim * width))
        # Finite, so that padding alone gives exp(-inf - finite) = 0.
        state = [e.constant(-1e30)] * tiles.panel + [e.constant(0.0)] * tiles.panel
        size = I64(tiles.logit_rows)
        n_tiles = b.sdiv(b.sub(last, first), size)
        with e.loop(n_tiles, state) as turn:
            turn.next = tile(
                panel, tiles.logit_rows, b.add(first, b.mul(turn.index, size)), list(turn.carried)
            )
        rest = b.add(first, b.mul(n_tiles, size))
        with e.loop(b.sub(last, rest), turn.carried) as one:
            one.next = tile(panel, 1, b.add(rest, one.index), list(one.carried))
        for v in range(tiles.panel):
            where = ((row, 1), (outer.index, width), (v, tiles.lanes))
            e.store(one.carried[v], e.at(largest, *where))
            e.store(one.carried[tiles.panel + v], e.at(total, *where))
    return end(e)


def grads_part(module: ir.Module, tiles: Tiles, dim: int) -> ir.Function:
    """Writes the pass that adds a part's p[c, q] = 2**(logit + shift of q) to the gradients.

    Buffers: queries by panel [panels, dim, 48], queries [panels x 48, dim], candidates [C, dim], terms [C],
    shifts [panels x 48]; the gradients of queries [PARTS, panels x 48, dim], of which the part has a row, of
    candidates [C, dim] and terms [C].
    """
    e, buffers, panels, part, first, last = start(module, "grads", 8, tiles)
    across, queries, candidates, added, shift, d_queries, d_candidates, d_added = buffers
    b, width, lanes = e.b, tiles.queries, tiles.lanes
    p, of_terms = e.room(BLOCK * width), e.room(BLOCK * lanes)
    of_queries = e.at(d_queries, (part, b.mul(panels, I64(width * dim))))
    _zero(e, of_queries, b.mul(panels, I64(width * dim // lanes)))

    n_blocks = b.sdiv(b.add(b.sub(last, first), I64(BLOCK - 1)), I64(BLOCK))
    with e.loop(n_blocks) as block:
        at = b.add(first, b.mul(block.index, I64(BLOCK)))
        left = b.sub(last, at)
        n = b.select(b.icmp_signed("<", left, I64(BLOCK)), left, I64(BLOCK))
        vectors, of_vectors = e.at(candidates, (at, dim)), e.at(d_candidates, (at, dim))
        _zero(e, of_vectors, b.mul(n, I64(dim // lanes)))
        _zero(e, of_terms, n)
        with e.loop(panels) as outer:
            panel = e.at(across, (outer.index, dim * width))
            first_query = b.mul(outer.index, I64(width))
            shifts = [e.load(e.at(shift, (first_query, 1), (v, lanes))) for v in range(tiles.panel)]

            def probabilities(
                rows: int, c: Value, panel: Value = panel, shifts: list[Value] = shifts, at: Value = at
            ) -> None:
                terms = [e.spread(e.at(added, (at, 1), (c, 1), (r, 1))) for r in range(rows)]
                start = [[term] * tiles.panel for term in terms]
                logits = _logits(e, tiles, dim, panel, e.at(candidates, (at, dim), (c, dim)), start)
                for r in range(rows):
                    of_term = e.at(of_terms, (c, lanes), (r, lanes))
                    summed = e.load(of_term)
                    for v in range(tiles.panel):
                        # The shift comes last: it is large, and a sum from there on would round at its size.
                        one = e.exp2(b.fadd(logits[r][v], shifts[v]))
                        e.store(one, e.at(p, (c, width), (r, width), (v, lanes)))
                        summed = b.fadd(summed, one)
                    e.store(summed, of_term)

            _by(e, n, tiles.logit_rows, probabilities)
            mine, plain = (e.at(x, (first_query, dim)) for x in (of_queries, queries))
            _add_products(e, tiles, dim, of_vectors, n, width, p, (width, 1), plain)
            _add_products(e, tiles, dim, mine, I64(width), n, p, (1, width), vectors)
        with e.loop(n) as one:
            e.store(
                e.total(e.load(e.at(of_terms, (one.index, lanes)))), e.at(d_added, (at, 1), (one.index, 1))
            )
    return end(e)


def start(
    module: ir.Module, name: str, n_buffers: int, tiles: Tiles
) -> tuple[Emitter, list[Value], Value, Value, Value, Value]:
    """Starts a function of the buffers, a count, the rows that are cut into parts, and a part.

    Returns:
        What writes it, the buffers, the count, the part, its first row and the one after its last.
    """
    kind = ir.FunctionType(ir.VoidType(), [POINTER] * n_buffers + [I64] * 3)
    function = ir.Function(module, kind, f"{name}_part")
    function.linkage = "internal"
    for buffer in function.args[:n_buffers]:
        buffer.add_attribute("noalias")
    *buffers, count, rows, part = function.args
    b = ir.IRBuilder(function.append_basic_block("entry"))
    first = b.sdiv(b.mul(part, rows), I64(PARTS))
    last = b.sdiv(b.mul(b.add(part, I64(1)), rows), I64(PARTS))
    return Emitter(b, tiles.lanes), buffers, count, part, first, last


def end(e: Emitter) -> ir.Function:
    """Finishes the function."""
    e.b.ret_void()
    return e.b.function


def _zero(e: Emitter, floats: Value, n_vectors: Value) -> None:
    with e.loop(n_vectors) as turn:
        e.store(e.constant(0.0), e.at(floats, (turn.index, e.lanes)))


def _logits(
    e: Emitter, tiles: Tiles, dim: int, panel: Value, candidates: Value, start: list[list[Value]]
) -> list[list[Value]]:
    """Writes start[r][v] plus the products of a candidate with the queries of a vector, for each of both."""
    rows, n = len(start), tiles.panel
    with e.loop(dim, [value for row in start for value in row]) as turn:
        queries = [e.load(e.at(panel, (turn.index, tiles.queries), (v, e.lanes))) for v in range(n)]
        for r in range(rows):
            number = e.spread(e.at(candidates, (turn.index, 1), (r, dim)))
            turn.next += [e.fma(number, queries[v], turn.carried[r * n + v]) for v in range(n)]
    return [turn.carried[r * n : (r + 1) * n] for r in range(rows)]


def _by(e: Emitter, n: Value, size: int, tile: Callable[[int, Value], None]) -> None:
    """Writes tile(size, row) for each whole tile of n rows, then tile(1, row) for each row that is left."""
    n_tiles = e.b.sdiv(n, I64(size))
    with e.loop(n_tiles) as turn:
        tile(size, e.b.mul(turn.index, I64(size)))
    rest = e.b.mul(n_tiles, I64(size))
    with e.loop(e.b.sub(n, rest)) as turn:
        tile(1, e.b.add(rest, turn.index))


def _add_products(
    e: Emitter,
    tiles: Tiles,
    dim: int,
    out: Value,
    n_rows: Value,
    n_terms: Count,
    factors: Value,
    strides: tuple[int, int],
    vectors: Value,
) -> None:
    """Adds, in row r of `out`, of n_rows, the sum over k < n_terms of factors[r, k] vectors[k].

    `strides` are those of the factors.
    """

    def columns(rows: int, r: Value, first: Value, n: int) -> None:
        places = [
            e.at(out, (r, dim), (i, dim), (first, e.lanes), (v, e.lanes))
            for i in range(rows)
            for v in range(n)
        ]
        with e.loop(n_terms, [e.load(place) for place in places]) as turn:
            row = [e.load(e.at(vectors, (turn.index, dim), (first, e.lanes), (v, e.lanes))) for v in range(n)]
            for i in range(rows):
                where = ((r, strides[0]), (i, strides[0]), (turn.index, strides[1]))
                factor = e.spread(e.at(factors, *where))
                turn.next += [e.fma(factor, row[v], turn.carried[i * n + v]) for v in range(n)]
        for place, value in zip(places, turn.carried, strict=True):
            e.store(value, place)

    def tile(rows: int, r: Value) -> None:
        n_groups, left = divmod(dim // e.lanes, tiles.columns)
        with e.loop(n_groups) as group:
            columns(rows, r, e.b.mul(group.index, I64(tiles.columns)), tiles.columns)
        if left:
            columns(rows, r, I64(n_groups * tiles.columns), left)

    _by(e, n_rows, tiles.rows, tile)
