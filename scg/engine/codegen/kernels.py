"""Generate the source of a kernel from a loop nest, and describe its operand table.

The text depends only on the *structure* of a nest: operands are numbered in order of use; sizes,
steps and addresses are words of a table. Nests of one structure therefore share a kernel. Of a
user's names and numbers only a few common constants appear in the source.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from scg.engine.codegen.layout import Word
from scg.engine.codegen.nests import Axis, is_unit, merge, moves
from scg.ir.expr import Expr
from scg.ops.elementwise import logical_and, logical_not, logical_or, where
from scg.ops.reductions import REDUCTIONS
from scg.schedule.copies import copy
from scg.schedule.entries import Axes, Item, Loop

_sum, _max, _ = REDUCTIONS

#: Constants that are written into a kernel; all others are operands.
INLINED = (0.0, 1.0, -1.0, 2.0, 0.5)

#: The maximum of no elements.
LEAST = {"f4": "-inf", "f8": "-inf", "i8": str(np.iinfo(np.int64).min)}

#: Elements that are added in single precision before they are added to a double total.
STRETCH = 1024


class Kernel(NamedTuple):
    """The source of a kernel, and the words of a nest's table."""

    source: str
    words: tuple[Word, ...]


def type_code(kind: str, real: str) -> str:
    """Type code of a kind of values, where floats are `real` ("f4" or "f8")."""
    return {"float": real, "int": "i8", "bool": "b1"}[kind]


def generate(loop: Loop, real: str) -> Kernel:
    """Kernel of a loop nest."""
    return _Writer(loop, real).kernel()


class _Writer:
    """Writes one kernel, whose lines it keeps by the depth of their loop."""

    def __init__(self, loop: Loop, real: str):
        self.loop, self.real = loop, real
        self.written = list(dict.fromkeys(item.to for item in loop.stored))
        self.inside = {item.expr: f"v{i}" for i, item in enumerate(loop.items)}
        self.maps = {item.expr for item in loop.items if item.kind == "map"}
        read = [
            axes
            for item in loop.items
            for k, axes in enumerate(item.args)
            if item.kind == "row" or not (self._is_value(item, k) or self._literal(axes))
        ]
        self.operands = [*self.written, *dict.fromkeys(read)]
        self.number = {axes: i for i, axes in enumerate(self.operands)}
        self.beside = _interleaved(self.operands)
        self.loops = merge(loop.space, self.operands)
        self.depth = len(self.loops)
        self.words: list[Word] = []
        # lines before, at the start of, and after the loop of each depth
        self.start: list[list[str]] = [[] for _ in range(self.depth + 1)]
        self.end: list[list[str]] = [[] for _ in range(self.depth + 1)]
        self.loaded: dict[Axes, str] = {}
        self.wide: list[int] = []  # operands whose totals are kept in double precision

    def kernel(self) -> Kernel:
        for d, axes in enumerate(self.loops):
            self.start[0].append(f"n{d} = {self._word('size', None, axes)}")
        for axes in self.operands:
            self._address(axes)
        for item in self.loop.items:
            self._statement(item)
        lines = ["def kernel(table):"]
        for d in range(self.depth):
            lines += _indented(d + 1, self.start[d])
            if d < self.depth - 1 or not self.wide:
                lines.append("    " * (d + 1) + f"for i{d} in range(n{d}):")
        if self.wide:
            lines += self._in_stretches()
        else:
            lines += _indented(self.depth + 1, self.start[self.depth])
        for d in reversed(range(self.depth + 1)):
            lines += _indented(d + 1, self.end[d])
        return Kernel("\n".join(lines) + "\n", tuple(self.words))

    def _in_stretches(self) -> list[str]:
        """The innermost loop where it adds to totals of double precision.

        The loop adds to them once a stretch, because twice as many floats of single precision fit a
        vector.
        """
        d = self.depth - 1
        begin = [f"c{k} = f4(0)" for k in self.wide]
        end = [f"t{k} = t{k} + f8(c{k})" for k in self.wide]
        stretch = f"range(j{d}, min(j{d} + u8({STRETCH}), n{d}))"
        return [
            *_indented(d + 1, [f"for j{d} in range(u8(0), n{d}, u8({STRETCH})):"]),
            *_indented(d + 2, [*begin, f"for i{d} in {stretch}:"]),
            *_indented(d + 3, self.start[d + 1]),
            *_indented(d + 2, end),
        ]

    # --- operands -------------------------------------------------------------------------------
    def _word(self, kind: str, axes: Axes | None, along: tuple[Axis, ...], value: int = 0) -> str:
        self.words.append(Word(kind, axes, along, value))
        return f"word(table, {len(self.words) - 1})"

    def _address(self, axes: Axes) -> None:
        """Follow an operand through all loops but the innermost, which indexes it."""
        if self.beside.get(axes, (axes,))[0] is not axes:
            return
        k, at = self.number[axes], len(self.words)
        name, call = f"a{k}", "along(table"
        self.words.append(Word("address", axes, ()))
        outer = [d for d, loop in enumerate(self.loops[:-1]) if moves(axes, loop[-1])]
        for d in outer:
            self.start[d + 1].append(f"{name}_{d} = {call}, {len(self.words) - 1}, i{d})")
            self.words.append(Word("step", axes, self.loops[d][-1:]))
            call = f"onward({name}_{d}, table"
        if not outer:
            self.start[0].append(f"{name} = word(table, {at})")
        if self.loops and moves(axes, self.loops[-1][-1]):
            if not is_unit(axes, self.loops[-1][-1]) and axes not in self.beside:
                word = self._word("stride", axes, self.loops[-1][-1:])
                self.start[0].append(f"s{k} = {word}")

    def _pointer(self, axes: Axes, depth: int) -> str:
        """Variable that holds an operand's address inside `depth` loops."""
        axes, _ = self.beside.get(axes, (axes, 0))
        k = self.number[axes]
        for d in reversed(range(min(depth, self.depth - 1))):
            if moves(axes, self.loops[d][-1]):
                return f"a{k}_{d}"
        return f"a{k}"

    def _index(self, axes: Axes) -> str:
        if not self.loops or not moves(axes, self.loops[-1][-1]):
            return "u8(0)"
        i = f"i{self.depth - 1}"
        if axes in self.beside:  # LLVM moves these in whole vectors if it knows their distances
            return f"{i} * u8({axes.strides[-1]}) + u8({self.beside[axes][1]})"
        return i if is_unit(axes, self.loops[-1][-1]) else f"{i} * s{self.number[axes]}"

    def _at(self, axes: Axes, depth: int) -> str:
        return f"{self._pointer(axes, depth)}, {self._index(axes)}"

    def _tail(self, axes: Axes) -> str:
        return f"{self.number[axes]}, {(1 << len(self.written)) - 1}"

    def _load(self, axes: Axes) -> str:
        """Variable of an operand, loaded in the deepest loop that moves it."""
        if axes not in self.loaded:
            depth = max(
                (d + 1 for d, lp in enumerate(self.loops) if moves(axes, lp[-1])), default=0
            )
            code = type_code(axes.base.kind, self.real)
            name = f"x{self.number[axes]}"
            line = f"{name} = load_{code}({self._at(axes, depth)}, {self._tail(axes)})"
            self.start[depth].append(line)
            self.loaded[axes] = name
        return self.loaded[axes]

    # --- statements -----------------------------------------------------------------------------
    def _is_value(self, item: Item, k: int) -> bool:
        return k in item.fused and item.args[k].base in self.maps

    def _literal(self, axes: Axes) -> str | None:
        value = axes.base.value
        if value is None or value.size != 1 or axes.base.kind == "bool":
            return None
        number = value.reshape(-1)[0].item()
        if number not in INLINED:
            return None
        return f"{type_code(axes.base.kind, self.real)}({number!r})"

    def _argument(self, item: Item, k: int, kind: str | None) -> str:
        """Argument as an expression of `kind`."""
        base = item.args[k].base
        literal = self._literal(item.args[k])
        if self._is_value(item, k):
            text = self.inside[base]
        else:
            text = literal if literal is not None else self._load(item.args[k])
        if kind is None or kind == base.kind:
            return text
        if kind == "bool":
            return f"({text} != 0)"
        return f"{type_code(kind, self.real)}({text})"

    def _statement(self, item: Item) -> None:
        inner = self.start[self.depth]
        if item.kind == "row":
            self._row(item)
            return
        if item.kind != "map":
            finish = self._reduce if item.kind == "reduce" else self._write
            finish(item, self._argument(item, 0, item.expr.kind))
            return
        name = self.inside[item.expr]
        kinds = _argument_kinds(item.expr)
        args = [self._argument(item, k, kind) for k, kind in enumerate(kinds)]
        text = item.expr.op.statement(item.expr.kind)
        code = type_code(item.expr.kind, self.real)
        terms = {"code": code, "zero": f"{code}(0)", "one": f"{code}(1)", **item.expr.attrs}
        inner.append(f"{name} = {text.format(*args, **terms)}")
        if item in self.loop.stored:
            self._write(item, name)

    def _row(self, item: Item) -> None:
        """Call a row function, whose operands may overlap any other."""
        row = item.expr.op.row
        if row.from_zero and not item.is_kept:
            self._begin(item.to, "0")
        code = type_code(item.expr.args[0].kind, self.real)
        if row.adjoint:
            at, tail = self._at(item.to, self.depth), self._tail(item.to)
            total = f"load_{code}({at}, {tail}) + {self._load(item.args[0])}"
            self.start[self.depth].append(f"store_{code}({at}, {total}, {tail})")
            return
        arguments = [self._here(axes) for axes in (item.to, *item.args)]
        for number in item.numbers:
            arguments.append(f"c{len(self.words)}")
            self.start[0].append(f"{arguments[-1]} = {self._word('number', None, (), number)}")
        name = "_".join(["row", row.function, code, *map(str, row.constants(item.expr))])
        call = f"{name}({', '.join(arguments)})"
        self.start[self.depth].append(call)

    def _here(self, axes: Axes) -> str:
        """Address of an operand's element inside all loops."""
        item = int(type_code(axes.base.kind, self.real)[1])
        pointer, index = self._pointer(axes, self.depth), self._index(axes)
        return pointer if index == "u8(0)" else f"{pointer} + {index} * u8({item})"

    def _begin(self, to: Axes, unit: str) -> None:
        """Fill the whole array of a result before all loops."""
        code, k = type_code(to.base.kind, self.real), self.number[to]
        whole = self._word("address", Axes(to.base, to.base.plates, (), 0), ())
        self.start[0] += [
            f"b{k} = {whole}",
            f"for j in range({self._word('count', to, ())}):",
            f"    store_{code}(b{k}, j, {code}({unit}), {self._tail(to)})",
        ]

    def _write(self, item: Item, value: str) -> None:
        to = item.to
        code = type_code(to.base.kind, self.real)
        line = f"store_{code}({self._at(to, self.depth)}, {value}, {self._tail(to)})"
        self.start[self.depth].append(line)

    def _reduce(self, item: Item, value: str) -> None:
        to, depth = item.to, self.depth
        k, at = self.number[to], self._at(to, depth)
        code, tail = type_code(to.base.kind, self.real), self._tail(to)
        is_sum = item.expr.op is _sum
        unit = "0" if is_sum else LEAST[code]

        def joined(old: str, new: str) -> str:
            if is_sum:
                return f"{old} + {new}"
            return f"({new} if ({new} > {old} or {new} != {new}) else {old})"

        reduced = [d for d, loop in enumerate(self.loops) if not moves(to, loop[-1])]
        if not reduced:
            self._write(item, value)
            return
        if reduced != [depth - 1]:  # the loop visits results repeatedly
            self._begin(to, unit)
        if reduced[-1] != depth - 1:
            new = joined(f"load_{code}({at}, {tail})", value)
            if not is_sum:
                self.start[depth].append(f"o{k} = load_{code}({at}, {tail})")
                new = joined(f"o{k}", value)
            self.start[depth].append(f"store_{code}({at}, {new}, {tail})")
            return
        # Sums of many elements, which plates may have, are kept in double precision.
        events = self.loop.space.lengths
        lengths = [events[a] if isinstance(a, int) else math.inf for a in self.loops[-1]]
        wide = code == "f4" and is_sum and math.prod(lengths) > STRETCH
        total = f"t{k}"
        self.start[depth - 1].append(f"{total} = {'f8' if wide else code}({unit})")
        if wide:
            self.wide.append(k)
        part = f"c{k}" if wide else total
        # Only sums may be reordered, because a reordered product may overflow.
        text = f"{'plus' if is_sum else 'larger'}({part}, {value})"
        if item.expr.kind != "float":
            text = joined(part, value)
        self.start[depth].append(f"{part} = {text}")
        at = f"{self._pointer(to, depth - 1)}, u8(0)"
        result = total = f"{code}({total})" if wide else total
        if item.expr.kind == "float" and not is_sum:  # a maximum in vectors, and NaN beside it
            self.start[depth - 1].append(f"q{k} = {code}(0)")
            self.start[depth].append(f"q{k} = plus(q{k}, is_nan({value}))")
            result = total = f"({code}(nan) if q{k} > {code}(0) else {total})"
        if reduced != [depth - 1]:
            self.end[depth - 1].append(f"o{k} = load_{code}({at}, {tail})")
            result = joined(f"o{k}", total)
        self.end[depth - 1].append(f"store_{code}({at}, {result}, {tail})")


def _interleaved(operands: list[Axes]) -> dict[Axes, tuple[Axes, int]]:
    """Operands that fill an array by turns along its last axis: the first of them, and the turn."""
    found: dict[Axes, tuple[Axes, int]] = {}
    known = set(operands)
    for first in operands:
        step = first.strides[-1] if first.strides else 0
        if not 2 <= step <= 4 or first in found:
            continue
        turns = [first._replace(offset=first.offset + i) for i in range(step)]
        if known.issuperset(turns):
            found |= {axes: (first, i) for i, axes in enumerate(turns)}
    return found


def _indented(depth: int, lines: list[str]) -> list[str]:
    return ["    " * depth + line for line in lines]


def _argument_kinds(expr: Expr) -> list[str | None]:
    """Kinds that the arguments of an op are converted to."""
    kinds = [arg.kind for arg in expr.args]
    if expr.op is where:
        return ["bool", expr.kind, expr.kind]
    if expr.kind != "bool" or expr.op is copy:
        return [expr.kind] * len(kinds)
    widest = "float" if "float" in kinds else "int" if "int" in kinds else "bool"
    if expr.op in (logical_and, logical_or, logical_not):
        widest = "bool"
    return [widest] * len(kinds)
