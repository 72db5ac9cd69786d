"""Finish: from expressions to a program that an engine runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from scg.compiler.invariants import check, checks_are_on
from scg.compiler.one_coordinate import one_coordinate
from scg.compiler.simplify import simplify
from scg.engine.program import Program
from scg.ir.expr import Expr

if TYPE_CHECKING:
    from scg.schedule.sweeps import StepWindows


def finish(
    outputs: Mapping[Any, Expr],
    dtype: str = "float64",
    backend: str = "numpy",
    windows: StepWindows | None = None,
) -> Program:
    """Simplify, take products of one changed coordinate apart, and make a program of it.

    Raises
    ------
    EstimatorError
        If it cannot be run in `windows`.
    """
    known: dict[Expr, Expr] = {}
    simple = simplify(one_coordinate(simplify(list(outputs.values()), known)), known)
    program = Program(dict(zip(outputs, simple, strict=True)), np.dtype(dtype), backend, windows)
    check("simplify", program.outputs)
    _ = program.sweeps  # raises now, not at the first call
    if backend == "numba" and checks_are_on():
        from scg.schedule.schedule import Schedule  # the checks alone need it here

        check("schedule", Schedule(program.outputs, program.dtype))
    return program
