"""Vectors of LLVM with the operators of NumPy's arrays, so that one text serves both."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir

from scg.special.machine import FORMATS

INTEGERS = {"f4": ir.IntType(32), "f8": ir.IntType(64)}
FLOATS = {"f4": ir.FloatType(), "f8": ir.DoubleType()}
_I32 = ir.IntType(32)


def spread(builder: Any, value: Any, count: int) -> Lanes:
    """Lanes that all hold one value."""
    kind = ir.VectorType(value.type, count)
    one = builder.insert_element(ir.Constant(kind, ir.Undefined), value, _I32(0))
    order = ir.Constant(ir.VectorType(_I32, count), None)
    return Lanes(builder, builder.shuffle_vector(one, one, order))


def numbered(builder: Any, count: int) -> Lanes:
    """Numbers of the lanes."""
    return Lanes(builder, ir.Constant(ir.VectorType(_I32, count), [_I32(i) for i in range(count)]))


def interleaved(x: Lanes, y: Lanes) -> Lanes:
    """Lanes of both, alternating."""
    count = x.value.type.count
    order = [_I32(k) for i in range(count) for k in (i, count + i)]
    mask = ir.Constant(ir.VectorType(_I32, 2 * count), order)
    return Lanes(x.builder, x.builder.shuffle_vector(x.value, y.value, mask))


class Lanes:
    """A vector under construction. Shifts to the right fill with zeros."""

    def __init__(self, builder: Any, value: Any):
        self.builder, self.value = builder, value

    def like(self, other: Any) -> Any:
        """A number as a constant of this type, or the value of other lanes."""
        if isinstance(other, Lanes):
            return other.value
        kind = self.value.type
        return ir.Constant(kind, [kind.element(other)] * kind.count)

    def do(self, instruction: str, *operands: Any) -> Lanes:
        """Result of an instruction on these lanes and the operands."""
        values = [self.like(operand) for operand in operands]
        return Lanes(self.builder, getattr(self.builder, instruction)(self.value, *values))

    def to(self, instruction: str, element: Any) -> Lanes:
        """Lanes of another type, by an instruction of conversion."""
        kind = ir.VectorType(element, self.value.type.count)
        return Lanes(self.builder, getattr(self.builder, instruction)(self.value, kind))

    def known(self, name: str, *operands: Lanes) -> Lanes:
        """Result of an intrinsic function of LLVM on each lane."""
        kind, module = self.value.type, self.builder.module
        name = f"llvm.{name}.v{kind.count}{kind.element.intrinsic_name}"
        function = module.globals.get(name)
        if function is None:
            types = [kind] * (1 + len(operands))
            function = ir.Function(module, ir.FunctionType(kind, types), name)
        values = [self.value, *(operand.value for operand in operands)]
        return Lanes(self.builder, self.builder.call(function, values))

    def branch(self, function: Callable[[], Lanes], otherwise: Lanes) -> Lanes:
        """Lanes that `function` builds, which runs if any lane is true; otherwise other lanes."""
        builder, bits = self.builder, ir.IntType(self.value.type.count)
        some = builder.icmp_unsigned("!=", builder.bitcast(self.value, bits), bits(0))
        before = builder.block
        with builder.if_then(some, likely=False):
            value = function().value
            inside = builder.block
        joined = builder.phi(value.type)
        joined.add_incoming(otherwise.value, before)
        joined.add_incoming(value, inside)
        return Lanes(builder, joined)

    def store(self, address: Any, begin: Any, end: Any) -> None:
        """Write lanes `begin` to `end` to an address (64 bits) of lane 0."""
        builder, kind = self.builder, self.value.type
        pointer = builder.inttoptr(address, kind.as_pointer())
        size = 4 if kind.element == FLOATS["f4"] else 8
        length = builder.sub(end, begin)
        full = builder.icmp_unsigned("==", length, length.type(kind.count))
        with builder.if_else(full) as (all_lanes, some):
            with all_lanes:
                builder.store(self.value, pointer, align=size)
            with some:
                first, few = (
                    spread(builder, builder.trunc(x, _I32), kind.count) for x in (begin, length)
                )
                place = numbered(builder, kind.count) - first  # beyond all lengths before it
                mask = builder.icmp_unsigned("<", place.value, few.value)
                name = f"llvm.masked.store.v{kind.count}{kind.element.intrinsic_name}.p0"
                function = builder.module.globals.get(name)
                if function is None:
                    types = [kind, pointer.type, _I32, mask.type]
                    known = ir.FunctionType(ir.VoidType(), types)
                    function = ir.Function(builder.module, known, name)
                builder.call(function, [self.value, pointer, _I32(size), mask])

    @property
    def _f(self) -> str:
        return "" if isinstance(self.value.type.element, ir.IntType) else "f"

    def __add__(self, other: Any) -> Lanes:
        return self.do(f"{self._f}add", other)

    def __sub__(self, other: Any) -> Lanes:
        return self.do(f"{self._f}sub", other)

    def __rsub__(self, other: Any) -> Lanes:
        return Lanes(self.builder, self.like(other)) - self

    def __mul__(self, other: Any) -> Lanes:
        # LLVM's code generator joins a product and a sum to one instruction, unless fenced.
        return self.do(f"{self._f}mul", other).known("arithmetic.fence")

    def __truediv__(self, other: Any) -> Lanes:
        return self.do("fdiv", other)

    def __rtruediv__(self, other: Any) -> Lanes:
        return Lanes(self.builder, self.like(other)) / self

    def __neg__(self) -> Lanes:
        return self.do("fneg")

    def __xor__(self, other: Any) -> Lanes:
        return self.do("xor", other)

    def __or__(self, other: Any) -> Lanes:
        return self.do("or_", other)

    def __lshift__(self, count: int) -> Lanes:
        return self.do("shl", count)

    def __rshift__(self, count: int) -> Lanes:
        return self.do("lshr", count)

    def __abs__(self) -> Lanes:
        return self.known("fabs")

    def __gt__(self, other: Any) -> Lanes:
        return Lanes(self.builder, self.builder.fcmp_ordered(">", self.value, self.like(other)))

    def __lt__(self, other: Any) -> Lanes:
        return Lanes(self.builder, self.builder.fcmp_ordered("<", self.value, self.like(other)))

    def where(self, x: Lanes, y: Lanes) -> Lanes:
        """`x` where these lanes are true, `y` elsewhere."""
        return self.do("select", x, y)


class LLVM:
    """LLVM as a :class:`scg.special.machine.Machine`."""

    def __init__(self, code: str):
        self.code = code

    def sqrt(self, x: Lanes) -> Lanes:
        """Square root of lanes."""
        return x.known("sqrt")

    def copysign(self, x: Lanes, y: Lanes) -> Lanes:
        """`x` with the signs of `y`."""
        return x.known("copysign", y)

    def rint(self, x: Lanes) -> Lanes:
        """Nearest integers."""
        return x.known("roundeven")

    def where(self, condition: Lanes, x: Any, y: Any) -> Lanes:
        """See :class:`scg.special.machine.Machine`."""
        known = x if isinstance(x, Lanes) else y
        return condition.where(*(Lanes(known.builder, known.like(each)) for each in (x, y)))

    def split(self, x: Lanes) -> tuple[Lanes, Lanes]:
        """See :class:`scg.special.machine.Machine`."""
        fraction, half_root = FORMATS[self.code]
        bits = x.to("bitcast", INTEGERS[self.code])
        e = (bits - half_root).do("ashr", fraction)
        m = (bits - (e << fraction)).to("bitcast", FLOATS[self.code])
        if self.code == "f8":  # 32 bits convert in every vector extension, 64 in few
            e = e.to("trunc", _I32)
        return e.to("sitofp", FLOATS[self.code]), m

    def replaced(self, z: Lanes, where: Lanes, function: Any, *xs: Lanes) -> Lanes:
        """See :class:`scg.special.machine.Machine`; `function` runs if any lane needs it."""
        return where.branch(lambda: where.where(function(*xs), z), z)
