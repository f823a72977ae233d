"""This module makes a pass as XLA calls it: it reads the call's buffers, and threads share the parts.

The offsets are those of the structs of XLA's foreign function interface (xla/ffi/api/c_api.h, version 0.3).
A handler says which version it is written to, and XLA refuses those that it doesn't support.
"""

from __future__ import annotations

from llvmlite import ir

from butaca.model.native.emit import I8, I32, I64, NULL, POINTER, Emitter, Value, declared
from butaca.model.native.passes import PARTS, Tiles, grads_part, sums_part
from butaca.model.native.rows import rows_part

API = (0, 3)  # the version of the interface that this is written to

# Of a call frame: its extension, and the lists of buffers that it gives and takes.
EXTENSION, ARGUMENTS, RESULTS = 8, 40 + 32, 80 + 32
# Of an extension: its kind, and, where it asks for metadata, where they go: version and traits.
KIND, METADATA, MAJOR, MINOR, TRAITS = 8, 24, 8 + 16, 8 + 20, 32
ASKS_FOR_METADATA = 1
# Of a buffer: its floats and its shape.
DATA, SHAPE = 24, 40


def build(tiles: Tiles, dim: int, threads: int) -> ir.Module:
    """Builds a module with the handlers `sums`, `grads` and `rows`.

    Args:
        tiles: what fits the processor's registers.
        dim: floats of a vector, a multiple of `tiles.lanes`.
        threads: that share the parts.
    """
    module = ir.Module("softmax")
    threads = min(threads, PARTS)
    _handler(module, "sums", sums_part(module, tiles, dim), threads, (3, 2), counted=(0, 1))
    _handler(module, "grads", grads_part(module, tiles, dim), threads, (5, 3), counted=(0, 2))
    _handler(module, "rows", rows_part(module, tiles, dim), threads, (5, 1), counted=(1, 0))
    return module


def _handler(
    module: ir.Module,
    name: str,
    part: ir.Function,
    threads: int,
    n_buffers: tuple[int, int],
    counted: tuple[int, int],
) -> None:
    """Writes the handler `name`: it returns null, no error, when all parts are done.

    `n_buffers` are those given and those taken; of the given ones `counted`, the first extent is the count
    and the number of rows that a part's function is told.
    """
    n_in, n_out = n_buffers
    share = _share(module, name, n_in + n_out, part, threads)
    function = ir.Function(module, ir.FunctionType(POINTER, [POINTER]), name)
    b = ir.IRBuilder(function.append_basic_block("entry"))
    (frame,) = function.args
    extension = _pointer(b, frame, EXTENSION)
    with b.if_then(b.icmp_unsigned("!=", extension, NULL)):
        kind = b.load(_field(b, extension, KIND), typ=I32, align=4)
        with b.if_then(b.icmp_unsigned("==", kind, I32(ASKS_FOR_METADATA))):
            metadata = _pointer(b, extension, METADATA)
            for field, value in ((MAJOR, API[0]), (MINOR, API[1]), (TRAITS, 0)):
                b.store(I32(value), _field(b, metadata, field), align=4)
            b.ret(NULL)
    arguments, results = _pointer(b, frame, ARGUMENTS), _pointer(b, frame, RESULTS)
    given = [_pointer(b, arguments, 8 * i) for i in range(n_in)]
    taken = [_pointer(b, results, 8 * i) for i in range(n_out)]
    data = [b.ptrtoint(_pointer(b, buffer, DATA), I64) for buffer in given + taken]
    counts = [b.load(_pointer(b, given[i], SHAPE), typ=I64, align=8) for i in counted]

    # What each thread is handed: the buffers, both counts, its number.
    handed = [b.alloca(POINTER, I64(len(data) + 3)) for _ in range(threads)]
    for number, room in enumerate(handed):
        for i, value in enumerate([*data, *counts, I64(number)]):
            b.store(value, b.gep(room, [I64(i)], source_etype=I64), align=8)
    create = declared(module, "pthread_create", I32, [POINTER] * 4)
    join = declared(module, "pthread_join", I32, [POINTER] * 2)
    started: list[tuple[Value, Value]] = []
    for room in handed[1:]:
        thread = b.alloca(POINTER)
        failed = b.icmp_signed("!=", b.call(create, [thread, NULL, share, room]), I32(0))
        with b.if_then(failed):
            b.call(share, [room])
        started.append((thread, failed))
    b.call(share, [handed[0]])
    for thread, failed in started:
        with b.if_then(b.not_(failed)):
            b.call(join, [b.load(thread, typ=POINTER, align=8), NULL])
    b.ret(NULL)


def _share(module: ir.Module, name: str, n_buffers: int, part: ir.Function, threads: int) -> ir.Function:
    """Writes what a thread does: the part of its number, and every `threads`-th part after it."""
    function = ir.Function(module, ir.FunctionType(POINTER, [POINTER]), f"{name}_share")
    function.linkage = "internal"
    e = Emitter(ir.IRBuilder(function.append_basic_block("entry")), 4)
    b = e.b
    handed = [b.gep(function.args[0], [I64(i)], source_etype=I64) for i in range(n_buffers + 3)]
    data = [b.load(place, typ=POINTER, align=8) for place in handed[:n_buffers]]
    count, rows, thread = (b.load(place, typ=I64, align=8) for place in handed[n_buffers:])
    with e.loop(b.sdiv(b.sub(I64(PARTS + threads - 1), thread), I64(threads))) as turn:
        b.call(part, [*data, count, rows, b.add(thread, b.mul(turn.index, I64(threads)))])
    b.ret(NULL)
    return function


def _field(b: ir.IRBuilder, base: Value, offset: int) -> Value:
    return b.gep(base, [I64(offset)], source_etype=I8)


def _pointer(b: ir.IRBuilder, base: Value, offset: int) -> Value:
    return b.load(_field(b, base, offset), typ=POINTER, align=8)
