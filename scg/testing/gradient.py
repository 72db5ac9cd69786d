"""Check the derivatives of a function against finite differences."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from scg.compiler.differentiate import gradients
from scg.engine.program import Program
from scg.graph.core import CoreGraph
from scg.ir.expr import Expr
from scg.ir.op import PARAMETER, constant
from scg.ir.plate import Plate
from scg.ir.walk import topological
from scg.ops.linalg import dot
from scg.run.finish import finish

POINTS = Plate.internal("points", None, rank=0)
#: Central differences at h, h/2 and h/4, and how Richardson extrapolation weighs them.
_STEPS = np.array([1.0, 0.5, 0.25])
_WEIGHTS = np.array([1.0, -20.0, 64.0]) / 45.0
_STEP = 4e-3


def check_gradient(
    fn: Callable[..., Any], *arrays: Any, order: int = 2, rtol: float = 1e-6, atol: float = 1e-8
) -> None:
    """Check a function on nodes against NumPy, and its derivatives against finite differences.

    Parameters
    ----------
    fn : callable
        A function of nodes in NumPy notation, which accepts plain arrays, too.
    *arrays : array_like
        The point of the check. `fn` is differentiated with respect to arrays of floats; integers
        and booleans are passed on unchanged.
    order : int
        Highest order of derivative. The derivative of order k + 1 is checked as the derivative of
        that of order k in a fixed direction.
    rtol, atol : float
        Tolerances, relative to the largest entry of a derivative and absolute.

    Raises
    ------
    AssertionError
        If a value or a derivative differs.

    Notes
    -----
    If the value is not a scalar, a weighted sum of its entries is differentiated. Differences are
    central, with Richardson extrapolation of steps h, h/2 and h/4: their error is of order h⁶. The
    point must not lie within 0.4 % of a kink or a pole.

    Examples
    --------
    >>> import numpy as np
    >>> from scg.testing import check_gradient
    >>> check_gradient(lambda x, y: np.tanh(x) * y, [0.5, -1.0], 2.0)
    """
    graph = CoreGraph("check_gradient")
    point: dict[str, np.ndarray] = {}
    arguments: list[Any] = []
    for i, array in enumerate(map(np.asarray, arrays)):
        if array.dtype.kind == "f":
            name = f"argument {i}"
            point[name] = array.astype(np.float64)
            array = graph.parameter(name, array)
        arguments.append(array)
    nodes = [argument for argument in arguments if isinstance(argument, Expr)]
    y = fn(*arguments)
    if not isinstance(y, Expr):
        raise AssertionError(
            f"check_gradient: the function returned {type(y).__name__} on nodes, not a node. "
            "Give at least one array of floats and write the function with NumPy notation"
        )

    def compare(what: str, found: Any, by: str, expected: Any, other: str, advice: str) -> None:
        worst = _worst(found, expected, rtol, atol)
        if worst is not None:
            place = f", entry {worst}" if worst else ""
            raise AssertionError(
                f"check_gradient: {what}{place} is {found[worst]:.12g} {by} and "
                f"{expected[worst]:.12g} {other}. {advice}"
            )

    plain = np.asarray(fn(*map(np.asarray, arrays)))
    here = finish({"value": y}).run(point, None, {})["value"][0]
    if plain.shape != here.shape:
        raise AssertionError(
            f"check_gradient: the function returns shape {here.shape} on nodes and {plain.shape} "
            "on arrays"
        )
    advice = f"One of {_ops(y)} computes something else than NumPy"
    compare("the value", here, "on nodes", plain, "on arrays", advice)

    rng = np.random.default_rng(0)
    value = dot(y, rng.uniform(0.5, 1.5, y.shape)) if y.shape else y
    for k in range(1, order + 1):
        slopes = gradients(value, nodes)
        found = finish(dict(zip(point, slopes, strict=True))).run(point, None, {})
        expected = _differences(finish({"value": value}), point)
        advice = (
            f"Look at the VJPs of {_ops(value)}; if the function has a kink near this point, check "
            "it elsewhere"
        )
        for name in point:
            what = f"the derivative of order {k} in {name}"
            pair = found[name][0], "by the VJPs", expected[name], "by finite differences"
            compare(what, *pair, advice)
        value = constant(graph, 0.0)
        for g in slopes:
            value = value + dot(g, rng.uniform(0.5, 1.5, g.shape))


def _worst(
    found: np.ndarray, expected: np.ndarray, rtol: float, atol: float
) -> tuple[int, ...] | None:
    """Index of the largest difference beyond the tolerance, or None."""
    if found.size == 0:
        return None
    with np.errstate(invalid="ignore"):
        difference = np.where(found == expected, 0.0, np.abs(found - expected))
    difference = np.where(np.isnan(found) & np.isnan(expected), 0.0, difference)
    finite = np.abs(expected[np.isfinite(expected)])
    if np.all(difference <= atol + rtol * np.max(finite, initial=0.0)):
        return None
    flat = int(np.argmax(np.nan_to_num(difference, nan=np.inf)))
    return tuple(int(i) for i in np.unravel_index(flat, found.shape))


def _ops(root: Expr) -> str:
    return ", ".join(sorted({expr.op.name for expr in topological((root,)) if expr.args}))


def _differences(program: Program, point: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Derivatives of a scalar in each entry, evaluated in one run on a plate of points."""
    flat = np.concatenate([array.reshape(-1) for array in point.values()])
    h = _STEP * np.maximum(1.0, np.abs(flat))
    moves = np.concatenate([_STEPS, -_STEPS])[:, None, None] * np.diag(h)
    points = (flat + moves).reshape(-1, flat.size)
    leaves, start = {}, 0
    for name, array in point.items():
        columns = points[:, start : start + array.size]
        leaves[name] = columns.reshape(len(points), *array.shape)
        start += array.size
    engine = program.engine(POINTS, (PARAMETER,))
    values = {leaf: leaves[leaf.attrs["name"]] for leaf in engine.leaves}
    out = engine.run(values, {POINTS: len(points)})["value"]
    up, down = np.broadcast_to(out, len(points)).reshape(2, len(_STEPS), flat.size)
    slopes = _WEIGHTS @ ((up - down) / (2.0 * _STEPS[:, None] * h))
    cuts = np.cumsum([array.size for array in point.values()])[:-1]
    parts = np.split(slopes, cuts)
    return {n: part.reshape(a.shape) for (n, a), part in zip(point.items(), parts, strict=True)}
