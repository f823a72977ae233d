"""This module is a vocabulary for writing machine code with LLVM: loops, vectors, the exponential."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeAlias

from llvmlite import ir

Value: TypeAlias = ir.Value
Count: TypeAlias = ir.Value | int

I8, I32, I64, F32 = ir.IntType(8), ir.IntType(32), ir.IntType(64), ir.FloatType()
POINTER = ir.PointerType()
NULL = ir.Constant(POINTER, None)

#: 2**f for -0.5 <= f <= 0.5, the constant first; a least-maximum fit, off by 2e-9 of the power at most.
POWER_OF_TWO = (
    1.0,
    0.6931471824645996,
    0.24022646248340607,
    0.05550328642129898,
    0.009618489071726799,
    0.0013399930903688073,
    0.00015345800784416497,
)

#: Added to a float of less than 2**22, it leaves the nearest whole number in the lowest bits, and 127 more,
#: which is how an exponent is kept.
ROUNDING = 1.5 * 2**23 + 127


@dataclass
class Turn:
    """A Turn of a loop holds its number, what it was handed, and in `next` what it hands on."""

    index: Value
    carried: list[Value]
    next: list[Value] = field(default_factory=list)


class Emitter:
    """Writes instructions where its builder stands; a vector has `lanes` floats."""

    def __init__(self, builder: ir.IRBuilder, lanes: int) -> None:
        self.b = builder
        self.lanes = lanes
        self.vector = ir.VectorType(F32, lanes)
        self._integers = ir.VectorType(I32, lanes)
        self._fma = declared(builder.module, f"llvm.fma.v{lanes}f32", self.vector, [self.vector] * 3)

    @contextmanager
    def loop(self, count: Count, carried: Sequence[Value] = ()) -> Iterator[Turn]:
        """Loops over turns 0 to count - 1. Once it has ended, `carried` is what the last turn handed on."""
        b, before = self.b, self.b.block
        head, body, after = (b.append_basic_block(name) for name in ("head", "body", "after"))
        b.branch(head)
        b.position_at_end(head)
        index = b.phi(I64)
        index.add_incoming(I64(0), before)
        handed = [b.phi(value.type) for value in carried]
        for phi, value in zip(handed, carried, strict=True):
            phi.add_incoming(value, before)
        b.cbranch(b.icmp_signed("<", index, whole(count)), body, after)
        b.position_at_end(body)
        turn = Turn(index, list(handed))
        yield turn
        index.add_incoming(b.add(index, I64(1)), b.block)
        for phi, value in zip(handed, turn.next, strict=True):
            phi.add_incoming(value, b.block)
        b.branch(head)
        b.position_at_end(after)

    def room(self, count: int) -> Value:
        """Makes room for floats, for as long as the function runs."""
        array = self.b.alloca(POINTER, I64((count + 1) // 2))  # two floats take a pointer's room
        array.align = 64
        return array

    def at(self, floats: Value, *terms: tuple[Count, Count]) -> Value:
        """Returns the address of the float at the sum of the terms' products."""
        fixed = sum(count * size for count, size in terms if isinstance(count, int) and isinstance(size, int))
        place: Value = I64(fixed)
        for count, size in terms:
            if not (isinstance(count, int) and isinstance(size, int)):
                place = self.b.add(place, self.b.mul(whole(count), whole(size)))
        return self.b.gep(floats, [place], source_etype=F32)

    def load(self, floats: Value) -> Value:
        """Loads a vector of the floats from an address on."""
        return self.b.load(floats, typ=self.vector, align=4)

    def store(self, value: Value, floats: Value) -> None:
        """Stores a vector, or one float, at an address."""
        self.b.store(value, floats, align=4)

    def spread(self, floats: Value) -> Value:
        """Returns the one float at an address, in all lanes."""
        undefined = ir.Constant(self.vector, ir.Undefined)
        first = self.b.insert_element(undefined, self.b.load(floats, typ=F32, align=4), I32(0))
        return self.b.shuffle_vector(first, undefined, ir.Constant(self._integers, [0] * self.lanes))

    def constant(self, value: float) -> Value:
        """Returns a number in all lanes."""
        return ir.Constant(self.vector, [value] * self.lanes)

    def fma(self, x: Value, y: Value, z: Value) -> Value:
        """Returns the sum x y + z, rounded once."""
        return self.b.call(self._fma, [x, y, z])

    def larger(self, x: Value, y: Value) -> Value:
        """Returns the larger of two, lane by lane; y where either is NaN."""
        return self.b.select(self.b.fcmp_ordered(">", x, y), x, y)

    def exp2(self, x: Value) -> Value:
        """Returns 2**x for x below 127; 0 below -126, where a float has no exponent left; NaN of NaN.

        x is a whole number n and a rest of at most a half; 2**n has n in its exponent's bits alone.
        """
        b = self.b
        rounded = b.fadd(x, self.constant(ROUNDING))
        rest = b.fsub(x, b.fsub(rounded, self.constant(ROUNDING)))
        power = self.constant(POWER_OF_TWO[-1])
        for factor in POWER_OF_TWO[-2::-1]:
            power = self.fma(power, rest, self.constant(factor))
        bits = b.shl(b.bitcast(rounded, self._integers), ir.Constant(self._integers, [23] * self.lanes))
        raised = b.fmul(power, b.bitcast(bits, self.vector))
        return b.select(b.fcmp_unordered(">=", x, self.constant(-126.0)), raised, self.constant(0.0))

    def total(self, x: Value) -> Value:
        """Returns the sum of a vector's lanes: its halves, their halves, and so on."""
        width = self.lanes
        while width > 1:
            width //= 2
            order = [min(lane + width, self.lanes - 1) for lane in range(self.lanes)]
            x = self.b.fadd(x, self.b.shuffle_vector(x, x, ir.Constant(self._integers, order)))
        return self.b.extract_element(x, I32(0))


def whole(value: Count) -> Value:
    """Returns a count, as a value if it is known now."""
    return I64(value) if isinstance(value, int) else value


def declared(module: ir.Module, name: str, result: ir.Type, arguments: list[ir.Type]) -> ir.Function:
    """Declares a function that is defined elsewhere."""
    known = module.globals.get(name)
    return known if known is not None else ir.Function(module, ir.FunctionType(result, arguments), name)
