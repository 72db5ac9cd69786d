"""Leaves and constants: where the values of expressions without arguments come from."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from scg.ir.expr import Expr

_TYPES = {"int": np.dtype(np.int64), "bool": np.dtype(np.bool_)}


def type_of(expr: Expr, real: np.dtype) -> np.dtype:
    """Type of an expression's array, where floats are `real`."""
    return real if expr.kind == "float" else _TYPES[expr.kind]


def sources(
    order: Iterable[Expr], real: np.dtype
) -> tuple[dict[Expr, None], dict[Expr, np.ndarray]]:
    """Leaves in order, whose arrays the caller brings, and arrays of constants."""
    leaves: dict[Expr, None] = {}
    constants: dict[Expr, np.ndarray] = {}
    for expr in order:
        if expr.value is not None:
            constants[expr] = np.asarray(expr.value, type_of(expr, real), order="C")
        elif not expr.args:
            leaves[expr] = None
    return leaves, constants
