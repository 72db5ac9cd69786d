"""Finish: from expressions to a program that an engine runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from scg.compiler.one_coordinate import one_coordinate
from scg.compiler.simplify import simplify
from scg.engine.program import Program
from scg.ir.expr import Expr


def finish(outputs: Mapping[Any, Expr], dtype: str = "float64", backend: str = "numpy") -> Program:
    """Simplify, take products of one changed coordinate apart, and make a program of it."""
    known: dict[Expr, Expr] = {}
    simple = simplify(one_coordinate(simplify(list(outputs.values()), known)), known)
    return Program(dict(zip(outputs, simple, strict=True)), np.dtype(dtype), backend)
