"""The language of kernels: a subset of Python with fixed types, translated to LLVM.

A function has numbers as arguments and as its result. Its text may assign names, call functions,
branch, and loop by ``while`` or over a range. A name that is assigned once stands for a value; one
that is assigned again lies in memory, from where LLVM takes it to a register, and keeps the type of
its first value. What a name means outside of the function is looked up when it is translated.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

from llvmlite import ir

from scg.engine.codegen.arithmetic import Operand, binary, code_of, common, compare, convert
from scg.engine.codegen.expressions import Expressions
from scg.engine.codegen.functions import Function
from scg.engine.codegen.instruction import TYPES, Value

_STATUS = ir.IntType(32)
_ROUNDED = ("fadd", "fsub", "fmul", "fdiv")


def kernel(source: str, name: str, names: Mapping[str, Any], codes: tuple[str, ...]) -> ir.Module:
    """Module of a kernel, a function ``kernel(...)`` in whose source `names` may stand.

    It takes the address of a table, and returns whether it failed; or numbers of the types `codes`,
    and returns one of the first type.
    """
    (tree,) = ast.parse(source).body
    assert isinstance(tree, ast.FunctionDef)
    module = ir.Module(name)
    _Translator(Function(tree, lambda: names, fails=not codes), module, name, codes or ("u8",), {})
    return module


class _Translator(Expressions):
    """Translates one function; `made` are the functions of the module that it may call."""

    def __init__(
        self, source: Function, module: ir.Module, name: str, codes: tuple[str, ...], made: Any
    ):
        super().__init__()
        self.source, self.module, self.made = source, module, made
        self.result: str | None = "status" if source.fails else None
        parameters = [TYPES[code] for code in codes]
        result = _STATUS if source.fails else ir.VoidType()
        self.function = ir.Function(module, ir.FunctionType(result, parameters), name)
        self.function.attributes.add("nounwind")
        self.entry = ir.IRBuilder(self.function.append_basic_block())
        self.builder = ir.IRBuilder(body := self.function.append_basic_block())
        self.loops: list[tuple[Any, Any]] = []  # blocks to continue at, and to break to
        for parameter, code, value in zip(
            source.parameters, codes, self.function.args, strict=True
        ):
            self.assign(parameter, Value(code, value))
        self.body(source.tree.body)
        if not self.builder.block.is_terminated:
            self.leave(None)
        self.entry.branch(body)
        for instruction in (each for block in self.function.blocks for each in block.instructions):
            if source.contract and instruction.opname in _ROUNDED and not instruction.flags:
                instruction.flags.append("contract")

    def translated(self, function: Function, codes: tuple[str, ...]) -> tuple[Any, str | None]:
        """See :class:`Expressions`."""
        key = function, codes
        if key not in self.made:
            name = f"{function.tree.name}.{len(self.made)}"
            made = _Translator(function, self.module, name, codes, self.made)
            made.function.linkage = "internal"
            if function.inline:
                made.function.attributes.add("alwaysinline")
            self.made[key] = made.function, made.result
        return self.made[key]

    def body(self, statements: list[ast.stmt]) -> None:
        """Translate statements up to the first that leaves the block."""
        for statement in statements:
            if not self.builder.block.is_terminated:
                getattr(self, f"_{type(statement).__name__}")(statement)

    def assign(self, name: str, value: Operand) -> None:
        """Give a name a value."""
        if name not in self.source.varying:
            self.scope[name] = value
            return
        if name not in self.places:
            code = code_of(value)
            self.places[name] = Value(code, self.entry.alloca(TYPES[code]))
        code, at = self.places[name]
        if common(Value(code, None), value) != code:
            raise TypeError(f"{name} of {self.source.tree.name} is {code}, not {code_of(value)}")
        self.builder.store(convert(self.builder, value, code), at)

    def leave(self, value: Operand | None) -> None:
        """Return a value, whose type the first one decides."""
        if self.source.fails:
            self.builder.ret(_STATUS(0))
        elif value is not None:
            if self.result is None:
                self.result = code_of(value)
                kind = TYPES[self.result]
                self.function.ftype.return_type = self.function.return_value.type = kind
            self.builder.ret(convert(self.builder, value, self.result))
        elif self.result is None:
            self.builder.ret_void()
        else:  # behind a loop without end
            self.builder.unreachable()

    def _Assign(self, node: ast.Assign) -> None:
        (target,) = node.targets
        if isinstance(target, ast.Name):
            self.assign(target.id, self.value(node.value))
            return
        assert isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple)
        values = [self.value(x) for x in node.value.elts]
        for name, value in zip(target.elts, values, strict=True):
            self.assign(ast.unparse(name), value)

    def _AugAssign(self, node: ast.AugAssign) -> None:
        assert isinstance(node.target, ast.Name)
        old, new = self.value(node.target), self.value(node.value)
        self.assign(node.target.id, binary(self.builder, type(node.op).__name__, old, new))

    def _Expr(self, node: ast.Expr) -> None:
        found = self.value(node.value)
        if isinstance(found, Value) and found.code == "status":
            with self.builder.if_then(self.builder.icmp_unsigned("!=", found.ir, _STATUS(0))):
                self.builder.ret(_STATUS(1))

    def _Return(self, node: ast.Return) -> None:
        self.leave(None if node.value is None else self.value(node.value))

    def _Raise(self, node: ast.Raise) -> None:
        self.builder.ret(_STATUS(1))

    def _Pass(self, node: ast.Pass) -> None:
        pass

    def _Break(self, node: ast.Break) -> None:
        self.builder.branch(self.loops[-1][1])

    def _Continue(self, node: ast.Continue) -> None:
        self.builder.branch(self.loops[-1][0])

    def _If(self, node: ast.If) -> None:
        yes, no, after = self.blocks(3)
        self.builder.cbranch(self.truth(node.test), yes, no)
        ended = []
        for block, statements in ((yes, node.body), (no, node.orelse)):
            self.builder.position_at_end(block)
            self.body(statements)
            ended.append(self.builder.block.is_terminated)
            if not ended[-1]:
                self.builder.branch(after)
        self.builder.position_at_end(after)
        if all(ended):
            self.builder.unreachable()

    def _While(self, node: ast.While) -> None:
        test, block, after = self.blocks(3)
        self.builder.branch(test)
        self.builder.position_at_end(test)
        self.builder.cbranch(self.truth(node.test), block, after)
        self._repeat(block, test, after, node.body)
        self.builder.position_at_end(after)

    def _For(self, node: ast.For) -> None:
        assert isinstance(node.iter, ast.Call) and isinstance(node.target, ast.Name)
        bounds = [self.value(x) for x in node.iter.args]
        start, stop, step = ([0, *bounds, 1] if len(bounds) == 1 else [*bounds, 1])[:3]
        code = common(start, stop, step)
        first, end, by = (convert(self.builder, x, code) for x in (start, stop, step))
        before, (test, block, again, after) = self.builder.block, self.blocks(4)
        self.builder.branch(test)
        self.builder.position_at_end(test)
        count = self.builder.phi(TYPES[code])
        count.add_incoming(first, before)
        self.scope[node.target.id] = here = Value(code, count)
        self.builder.cbranch(compare(self.builder, "Lt", here, Value(code, end)).ir, block, after)
        self._repeat(block, again, after, node.body)
        self.builder.position_at_end(again)
        count.add_incoming(self.builder.add(count, by, flags=("nuw",)), again)
        self.builder.branch(test)
        self.builder.position_at_end(after)

    def _repeat(self, block: Any, again: Any, after: Any, statements: list[ast.stmt]) -> None:
        self.builder.position_at_end(block)
        self.loops.append((again, after))
        self.body(statements)
        self.loops.pop()
        if not self.builder.block.is_terminated:
            self.builder.branch(again)
