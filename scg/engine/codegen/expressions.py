"""Expressions of the language of kernels, translated to LLVM."""

from __future__ import annotations

import ast
import builtins
import math
from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from scg.engine.codegen.arithmetic import (
    Operand,
    absolute,
    binary,
    code_of,
    common,
    compare,
    convert,
    library,
    negative,
    smaller,
)
from scg.engine.codegen.functions import Function
from scg.engine.codegen.instruction import TYPES, Intrinsic, Value

_CASTS = {np.float32: "f4", np.float64: "f8", np.int64: "i8", np.uint64: "u8"}


class Expressions(ABC):
    """Builds the values of expressions where the builder stands."""

    builder: Any
    source: Function

    def __init__(self):
        self.scope: dict[str, Operand] = {}
        self.places: dict[str, Value] = {}  # addresses of varying names

    @abstractmethod
    def translated(self, function: Function, codes: tuple[str, ...]) -> tuple[Any, str | None]:
        """LLVM's function for types of arguments, and the code of its result."""

    def value(self, node: ast.expr) -> Any:
        """Value of an expression: an operand, or what a name means outside of the function."""
        return getattr(self, f"_{type(node).__name__}")(node)

    def truth(self, node: ast.expr) -> Any:
        """LLVM's value of a condition."""
        return convert(self.builder, self.value(node), "b1")

    def blocks(self, count: int) -> list[Any]:
        """New blocks of the function."""
        return [self.builder.function.append_basic_block() for _ in range(count)]

    def _Constant(self, node: ast.Constant) -> Any:
        return node.value

    def _Name(self, node: ast.Name) -> Any:
        name, outside = node.id, self.source.names
        if name in self.places:
            code, at = self.places[name]
            return Value(code, self.builder.load(at))
        if name in self.scope:
            return self.scope[name]
        return outside[name] if name in outside else getattr(builtins, name)

    def _Attribute(self, node: ast.Attribute) -> Any:
        return getattr(self.value(node.value), node.attr)

    def _BinOp(self, node: ast.BinOp) -> Operand:
        x, y = self.value(node.left), self.value(node.right)
        return binary(self.builder, type(node.op).__name__, x, y)

    def _Compare(self, node: ast.Compare) -> Value:
        (sign,), (right,) = node.ops, node.comparators
        x, y = self.value(node.left), self.value(right)
        return compare(self.builder, type(sign).__name__, x, y)

    def _UnaryOp(self, node: ast.UnaryOp) -> Operand:
        if isinstance(node.op, ast.Not):
            return Value("b1", self.builder.not_(self.truth(node.operand)))
        assert isinstance(node.op, ast.USub)
        return negative(self.builder, self.value(node.operand))

    def _BoolOp(self, node: ast.BoolOp) -> Value:
        """Evaluate conditions without calls at once, because that needs no branch."""
        first, *rest = node.values
        found, is_or = self.truth(first), isinstance(node.op, ast.Or)
        join = self.builder.or_ if is_or else self.builder.and_
        for operand in rest:
            if not any(isinstance(each, ast.Call) for each in ast.walk(operand)):
                found = join(found, self.truth(operand))
                continue
            before, (more, after) = self.builder.block, self.blocks(2)
            self.builder.cbranch(found, *((after, more) if is_or else (more, after)))
            self.builder.position_at_end(more)
            known, last = TYPES["b1"](is_or), self.truth(operand)
            found = self._joined("b1", [(known, before), (last, self.builder.block)], after)
        return Value("b1", found)

    def _IfExp(self, node: ast.IfExp) -> Value:
        test, arms = self.truth(node.test), (node.body, node.orelse)
        if all(isinstance(arm, (ast.Name, ast.Constant)) for arm in arms):
            values = [self.value(arm) for arm in arms]
            code = common(*values)
            return Value(code, self.builder.select(test, *self._converted(values, code)))
        *starts, after = self.blocks(3)
        self.builder.cbranch(test, *starts)
        found: list[tuple[Operand, Any]] = []
        for start, arm in zip(starts, arms, strict=True):
            self.builder.position_at_end(start)
            found.append((self.value(arm), self.builder.block))
        code = common(*(value for value, _ in found))
        ends = []
        for value, block in found:
            self.builder.position_at_end(block)
            ends.append((convert(self.builder, value, code), block))
        return Value(code, self._joined(code, ends, after))

    def _joined(self, code: str, ends: list[tuple[Any, Any]], after: Any) -> Any:
        """Branch from all blocks that have no end yet, and take the value of the last one."""
        for _, block in ends:
            if not block.is_terminated:
                self.builder.position_at_end(block)
                self.builder.branch(after)
        self.builder.position_at_end(after)
        joined = self.builder.phi(TYPES[code])
        for value, block in ends:
            joined.add_incoming(value, block)
        return joined

    def _converted(self, operands: list[Operand], code: str) -> list[Any]:
        return [convert(self.builder, x, code) for x in operands]

    def _Call(self, node: ast.Call) -> Any:
        function, operands = self.value(node.func), [self.value(x) for x in node.args]
        if isinstance(function, Intrinsic):
            return self._built(function, operands)
        if isinstance(function, Function):
            codes = tuple(map(code_of, operands))
            called, code = self.translated(function, codes)
            values = [convert(self.builder, *pair) for pair in zip(operands, codes, strict=True)]
            found = self.builder.call(called, values)
            return None if code is None else Value(code, found)
        if function in _CASTS:
            (x,), code = operands, _CASTS[function]
            known = not isinstance(x, Value)
            return function(x) if known else Value(code, convert(self.builder, x, code))
        if function in (min, max):
            return smaller(self.builder, *operands, name="Lt" if function is min else "Gt")
        if function is abs:
            return absolute(self.builder, *operands)
        if getattr(function, "__module__", None) == math.__name__:
            return library(self.builder, function.__name__, operands)
        raise TypeError(f"{ast.unparse(node)} calls what kernels do not know")

    def _built(self, instruction: Intrinsic, operands: list[Operand]) -> Value | None:
        result, *parameters = instruction.codes
        if result == "float":
            result, *parameters = [common(*operands)] * len(instruction.codes)
        values = [
            x if code is None else convert(self.builder, x, code)
            for x, code in zip(operands, parameters, strict=True)
        ]
        built = instruction.build(self.builder, *values)
        return None if result is None else Value(result, built)
