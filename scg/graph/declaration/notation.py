"""Expressions as text: a small part of Python's notation, evaluated without Python's `eval`."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from types import MappingProxyType
from typing import Any

import numpy as np

from scg import ops
from scg.distributions import DISTRIBUTIONS
from scg.distributions.base import Distribution
from scg.errors import DeclarationError
from scg.graph.bounds import BOUNDS
from scg.graph.declaration.parts import bounded
from scg.ir.dispatch import FUNCTIONS, UFUNCS
from scg.ir.expr import Expr, StochasticNode
from scg.ir.op import Op

#: Characters of one expression, and the largest integer in it: a text is no way to fill a machine.
LENGTH = 10_000
INTEGER = 10**6

_BINARY: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
    ast.MatMult: operator.matmul,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: np.equal,
    ast.NotEq: np.not_equal,
}


@cache
def functions() -> Mapping[str, Callable[..., Any]]:
    """What expressions may call by name: functions of NumPy and scg, and distributions."""
    known: dict[str, Any] = {f.__name__: f for f in (*UFUNCS, *FUNCTIONS) if callable(f)}
    known["abs"] = np.absolute
    known |= {name: getattr(ops, name) for name in ops.__all__ if name != "op"}
    known |= {family.__name__: family for family in DISTRIBUTIONS}
    known |= {bound.__name__: bound for bound in BOUNDS}
    return MappingProxyType(known)


class Expression:
    """A parsed expression; `uses` holds the names in it that are not functions.

    Raises
    ------
    DeclarationError
        If the text is not an expression, or too long or too deep.
    """

    def __init__(self, text: str, custom: Mapping[str, Any] = MappingProxyType({})):
        if len(text) > LENGTH:
            raise DeclarationError(
                f"an expression of {len(text)} characters, more than {LENGTH}: "
                'give its parts names, with {"deterministic": ...}'
            )
        try:
            self.body = ast.parse(text, mode="eval").body
        except (SyntaxError, ValueError) as error:
            what = error.msg if isinstance(error, SyntaxError) else str(error)
            raise DeclarationError(f"{what}: {_short(text)}") from None
        except (RecursionError, MemoryError):
            raise _too_deep(text) from None
        self.text = text
        self.known = {**functions(), **custom}
        names = (n.id for n in ast.walk(self.body) if isinstance(n, ast.Name))
        self.uses = frozenset(names) - frozenset(self.known)

    def evaluate(self, values: Mapping[str, Any]) -> Any:
        """The expression's value, with `values` for the names that it uses."""
        try:
            with np.errstate(all="ignore"):  # a check of the numbers follows
                return bounded(self._of(self.body, values))
        except RecursionError:
            raise _too_deep(self.text) from None

    def _of(self, node: ast.expr, values: Mapping[str, Any]) -> Any:
        def of(inner: ast.expr) -> Any:
            return bounded(self._of(inner, values))

        match node:
            case ast.Constant(value=bool() | int() | float()):
                return _number(node.value)
            case ast.Name(id=name) if name in values:
                return values[name]
            case ast.List() | ast.Tuple():
                return [of(element) for element in node.elts]
            case ast.UnaryOp(op=ast.USub()):
                return -_operand(of(node.operand))
            case ast.BinOp() if type(node.op) in _BINARY:
                return _binary(type(node.op), of(node.left), of(node.right))
            case ast.Compare(ops=[op], comparators=[right]) if type(op) in _BINARY:
                return _binary(type(op), of(node.left), of(right))
            case ast.Subscript():
                return _operand(of(node.value))[_index(node.slice, of)]
            case ast.Call(func=ast.Name(id=name)) if name in self.known:
                given = {str(k.arg): of(k.value) for k in node.keywords if k.arg is not None}
                if len(given) == len(node.keywords):
                    return _call(name, self.known[name], list(map(of, node.args)), given)
            case ast.Call(ast.Attribute(owner, "log_prob"), args, []) if len(args) < 2:
                return _distribution(of(owner)).log_prob(*map(of, args))
            case ast.Attribute(attr="T"):
                return _operand(of(node.value)).T
        raise DeclarationError(f"{_short(ast.unparse(node))} is not allowed in an expression")


def _number(value: Any) -> Any:
    if isinstance(value, float) and not np.isfinite(value):
        raise DeclarationError("a number is not finite")
    if isinstance(value, int) and value > INTEGER:
        raise DeclarationError(f"an integer of {len(str(value))} digits; write it as {value:.1e}")
    return value


def _distribution(value: Any) -> Any:
    if not isinstance(value, (StochasticNode, Distribution)):
        raise DeclarationError(
            f"log_prob: expected a stochastic node or a distribution, got {value!r:.60}"
        )
    return value


def _operand(value: Any) -> Any:
    if not isinstance(value, list):
        return value
    if any(isinstance(part, Expr) for part in _leaves(value)):
        raise DeclarationError("a list of nodes is not an array; write stack([...])")
    return np.asarray(value)


def _binary(kind: type, left: Any, right: Any) -> Any:
    left, right = _operand(left), _operand(right)
    if kind is ast.Pow and not isinstance(left, Expr) and not isinstance(right, Expr):
        # Floats, because Python's own integers would grow without end.
        power = np.power(np.asarray(left, float), np.asarray(right, float))
        if not np.all(np.isfinite(power)):
            raise DeclarationError("a power of numbers is not finite")
        return power
    return _BINARY[kind](left, right)


def _index(node: ast.expr, of: Callable[[ast.expr], Any]) -> Any:
    if isinstance(node, ast.Slice):
        bounds = (node.lower, node.upper, node.step)
        return slice(*(None if part is None else of(part) for part in bounds))
    if isinstance(node, ast.Constant) and node.value in (None, Ellipsis):
        return node.value
    if isinstance(node, ast.Tuple):
        return tuple(_index(part, of) for part in node.elts)
    return of(node)


def _call(name: str, function: Any, args: list[Any], given: dict[str, Any]) -> Any:
    arrays = not isinstance(function, (np.ufunc, Op, type)) and name in functions()
    if arrays and not any(isinstance(x, Expr) for x in _leaves([*args, *given.values()])):
        raise DeclarationError(f"{name}: expected a node among its arguments; write the numbers")
    return function(*args, **given)


def _leaves(values: Iterable[Any]) -> Iterable[Any]:
    for value in values:
        if isinstance(value, list):
            yield from _leaves(value)
        else:
            yield value


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")


def _too_deep(text: str) -> DeclarationError:
    return DeclarationError(
        f"an expression is nested too deeply: {_short(text)}; give its parts names"
    )
