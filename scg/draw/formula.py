"""Formulas: what a node computes, and what an estimator estimates, as short text."""

from __future__ import annotations

import re

from scg.draw.letters import pretty, printable, short
from scg.estimators.protocol import Estimator
from scg.ir.expr import Expr, StochasticNode
from scg.ops.gradient import MARKS

#: Binding strength and signs of operators.
_SIGNS = {
    "add": (1, " + "),
    "subtract": (1, " − "),
    "multiply": (2, " · "),
    "divide": (2, " / "),
    "contract": (2, " @ "),
    "greater": (0, " > "),
    "less": (0, " < "),
}
_AFTER = {"square": "²", "reciprocal": "⁻¹"}
_PLAIN = ("broadcast", "expand", "cast", "continuous", *(op.name for op in MARKS))
_ATOM, _DEEPEST = 9, 6


def stated(estimator: Estimator) -> str:
    """The formula of an estimator, without a baseline that it does not have and a scale of 1."""
    text, where = estimator.formula, estimator.where()
    if "b" in where and not where["b"]:
        text = text.replace(" − b)", ")")
    if where.get("a") == 1.0:
        text = re.sub(r"(?<![\wα-ω])a (?=[(f])", "", text)
    return re.sub(r"(?<=[+ ])\((f\([^()]*\))\)", r"\1", f" {text}").strip()


def infix(expr: Expr) -> str:
    """What a node computes from named ones."""
    return _text(expr, 0, _DEEPEST, named=False)


def _text(expr: Expr, least: int, deepest: int, named: bool = True) -> str:
    """The formula of an expression, in parentheses if it binds less than `least`."""
    op, args = expr.op.name, expr.args
    if expr.value is not None:
        return f"{expr.value.item():g}" if expr.value.size == 1 else "const"
    if (named and expr.name) or not args or isinstance(expr, StochasticNode):
        return pretty(short(printable(expr.name or op), 24))
    if deepest == 0:
        return "…"
    if op == "carry":
        return op
    if op in _PLAIN:
        return _text(args[0], least, deepest - 1)
    if op in _SIGNS and len(args) == 2:
        own, sign = _SIGNS[op]
        text = f"{_text(args[0], own, deepest - 1)}{sign}{_text(args[1], own + 1, deepest - 1)}"
    elif op == "negative":
        own, text = 1, f"−{_text(args[0], 2, deepest - 1)}"
    elif op in _AFTER:
        own, text = _ATOM, f"{_text(args[0], _ATOM, deepest - 1)}{_AFTER[op]}"
    elif op == "power":
        own, base = 3, _text(args[0], _ATOM, deepest - 1)
        text = f"{base}^{_text(args[1], _ATOM, deepest - 1)}"
    elif op == "slice":
        own, text = _ATOM, f"{_text(args[0], _ATOM, deepest - 1)}[…]"
    else:
        inside = ", ".join(_text(arg, 0, deepest - 1) for arg in args)
        own, text = _ATOM, f"{op}({inside})"
    return f"({text})" if own < least else text
