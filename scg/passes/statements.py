"""Statements: what an elementwise op is in the source of a kernel."""

from __future__ import annotations

from scg.expr import Expr

#: What an elementwise op is in a kernel; {0}, {1} ... are its arguments.
STATEMENTS = {
    "add": "{0} + {1}",
    "subtract": "{0} - {1}",
    "multiply": "{0} * {1}",
    "divide": "{0} / {1}",
    "negative": "-{0}",
    "square": "{0} * {0}",
    "power": "{0} ** {1}",
    "exp": "exp({0})",
    "expm1": "expm1({0})",
    "log": "log({0})",
    "log1p": "log1p({0})",
    "sqrt": "sqrt({0})",
    "tanh": "tanh({0})",
    "sigmoid": "sigmoid({0})",
    "softplus": "softplus({0})",
    "ndtri": "ndtri({0})",
    "exp2": "exp2({0})",
    "log2": "log2({0})",
    "log10": "log10({0})",
    "sin": "sin({0})",
    "cos": "cos({0})",
    "tan": "tan({0})",
    "arctan": "arctan({0})",
    "sinh": "sinh({0})",
    "cosh": "cosh({0})",
    "floor": "floor({0})",
    "ceil": "ceil({0})",
    "rint": "rint({0})",
    "sign": "({one} if {0} > {zero} else (-{one} if {0} < {zero} else {0}))",
    "abs": "abs({0})",
    "relu": "({0} if ({0} > {zero} or {0} != {0}) else {zero})",
    "greater": "{0} > {1}",
    "greater_equal": "{0} >= {1}",
    "less": "{0} < {1}",
    "less_equal": "{0} <= {1}",
    "equal": "{0} == {1}",
    "not_equal": "{0} != {1}",
    "logical_and": "{0} & {1}",
    "logical_or": "{0} | {1}",
    "logical_not": "not {0}",
    "where": "({1} if {0} else {2})",
    "minimum": "({0} if ({0} < {1} or {0} != {0}) else {1})",
    "maximum": "({0} if ({0} > {1} or {0} != {0}) else {1})",
    "xlogy": "{0} * log({one} if {0} == {zero} else {1})",
    "xlog1py": "{0} * log1p({zero} if {0} == {zero} else {1})",
    "float": "{0}",
    "copy": "{0}",
}
#: Ops whose statement is for floats, whatever their arguments are.
_FLOAT_ONLY = ("sign", "relu", "abs", "negative", "square", "minimum", "maximum")
_LOGICAL = ("logical_and", "logical_or", "logical_not")


def fusible(expr: Expr) -> bool:
    """Whether an elementwise op has a statement for the kinds of its arguments."""
    name, kinds = expr.op.name, {arg.kind for arg in expr.args}
    if name not in STATEMENTS or expr.attrs:
        return False
    if name in _LOGICAL:
        return kinds == {"bool"}
    if name in _FLOAT_ONLY:
        return expr.kind == "float"
    return expr.kind != "bool" or name not in ("add", "subtract", "multiply")
