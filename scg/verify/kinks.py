"""Kinks: what shows where a program jumps, bends or turns steeply along an element of its noise.

Between such places a program is smooth, and Gauss rules converge. A jump or a bend is a change of
a *code*: the sign of what an op compares, or an output that is constant almost everywhere. Steep
ops (exponentials, sigmoids, waves) show by their arguments.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from scg.engine.interpreter import Sizes
from scg.engine.program import Program
from scg.errors import EnumerationError
from scg.ir.expr import Expr
from scg.ir.op import constant
from scg.ir.walk import topological
from scg.ops.elementwise import subtract
from scg.ops.operators import floor_divide
from scg.ops.reductions import expand
from scg.verify.cells import dependencies
from scg.verify.quadrature import MEASURES

ADVICE = "Use many runs: scg.check(step, params, seed=0), or scg.compare"
JUMPING = ("sign", "code")
SIGNED = ("sign", "saturating")  # what is where it changes its sign
_RANGES = {"uniform": (2.0**-53, 1.0 - 2.0**-53, 0.5), "normal": (-12.0, 12.0, 0.0)}
_LADDER = np.linspace(0.0, 1.0, 18)


class Kinks:
    """What shows where outputs are not smooth in a noise leaf: codes and arguments of ops.

    `moves` says whether an output varies with the leaf between such places; if not, it is constant.
    """

    def __init__(self, leaf: Expr, outputs: Sequence[Expr]):
        moving = {leaf}  # what varies with the leaf almost everywhere
        found: dict[str, dict[Expr, None]] = {}
        for expr in topological(outputs):
            if not any(arg in moving for arg in expr.args):
                continue
            jumps = not expr.op.continuous and expr.op.turns[0] != "quotient"
            if expr.kind == "float" and not jumps:  # else constant almost everywhere
                moving.add(expr)
            for kind, watched in _watched(leaf, expr, moving):
                found.setdefault(kind, {})[watched] = None
        self.signs = list(found.get("sign", ()))
        self.moves = any(output in moving for output in outputs)
        watched = {(kind, i): expr for kind, each in found.items() for i, expr in enumerate(each)}
        self.program = Program(watched) if watched else None

    def probes(self, later: Sequence[Expr]) -> tuple[dict[str, float], ...]:
        """Values for the noise of later levels: its ends and, last, its middle.

        What is integrated over later noise is not smooth where a kink meets the end of its range;
        the middle only shows steep ops.
        """
        names = {e.attrs["name"]: e.attrs["law"] for e in later}
        ends = {name: _RANGES[law] for name, law in names.items() if self._meets(name)}
        if not ends:
            return ({},)
        corners = itertools.product((0, 1), repeat=len(ends))
        if len(ends) > 2:
            corners = [(0,) * len(ends), (1,) * len(ends)]
        corners = [*corners, (2,) * len(ends)]
        return tuple(
            {name: ends[name][side] for name, side in zip(ends, corner, strict=True)}
            for corner in corners
        )

    def ladder(self, later: Expr) -> tuple[dict[str, Any], ...]:
        """Values of a last leaf of one element, if jumps along it may pass each other."""
        below = dependencies(topological(self.signs))
        passing = sum(2 if e.plates else e.size for e in self.signs if later in below[e])
        law = MEASURES[later.attrs["law"]]
        steps = _LADDER if passing > 1 else ()
        return tuple({later.attrs["name"]: law.at(y)} for y in steps)

    def _meets(self, name: str) -> bool:
        return self.program is not None and name in self.program.noise

    def price(self, program: Program, points: int, sizes: Sizes) -> int:
        """How many points of `program` cost as much as these points do here."""
        assert self.program is not None
        return int(points * program.block_length(sizes) / self.program.block_length(sizes))

    def run(self, values: Any, noise: dict[str, np.ndarray], rows: int, sizes: Sizes) -> dict:
        """Compute codes and arguments as arrays (rows, outputs) by kind."""
        assert self.program is not None
        used = {name: noise[name] for name in self.program.noise}
        columns: dict[str, list[np.ndarray]] = {}
        for (kind, _), value in self.program.run(values, used, sizes).items():
            flat = np.asarray(value, float).reshape(len(value), -1)
            columns.setdefault(kind, []).append(np.broadcast_to(flat, (rows, flat.shape[1])))
        return {kind: np.concatenate(each, axis=1) for kind, each in columns.items()}


def order_of_roots(signs: np.ndarray) -> np.ndarray:
    """Number the orders in which columns change sign along a ladder, (..., steps, columns).

    What is integrated over later noise is not smooth where two jumps pass each other.
    """
    low, high = signs[..., :-1, :], signs[..., 1:, :]
    steps, columns = low.shape[-2:]
    with np.errstate(divide="ignore", invalid="ignore"):
        root = np.arange(steps)[:, None] + low / (low - high)
    root += 1e-9 * np.arange(columns)  # of equal roots the order is fixed
    root = np.where((low > 0.0) != (high > 0.0), root, np.inf).reshape(*low.shape[:-2], -1)
    order = np.argsort(root, axis=-1)
    there = np.isfinite(np.take_along_axis(root, order, axis=-1))
    names = np.sqrt(np.arange(2.0, 2.0 + order.shape[-1]))
    return np.sum(np.where(there, (order % columns + 1) * names, 0.0), axis=-1)


def _watched(leaf: Expr, expr: Expr, moving: set[Expr]) -> list[tuple[str, Expr]]:
    """What must be watched of one op: kinds and expressions."""
    op, args = expr.op, expr.args
    if op.label:
        raise EnumerationError(
            f"{leaf.attrs['name']!r} reaches the user's own op {op.label!r}, whose "
            f"jumps and kinks cannot be located. {ADVICE}"
        )
    if op.loop is not None:
        raise EnumerationError(
            f"{leaf.attrs['name']!r} reaches a scan, in whose steps jumps and kinks cannot be "
            f"located; unroll the graph. {ADVICE}"
        )
    turn, position = op.turns
    if turn == "difference":
        return [("sign", subtract(*args))]
    if turn == "sign":
        return [("sign", args[position])]
    if turn == "quotient":
        return [("code", floor_divide(*args))]
    if not op.continuous:
        return [("code", expr)]
    if not op.smooth:  # piecewise linear: its derivative is constant between the kinks
        numbers = np.sqrt(np.arange(1.0, 1.0 + np.prod(expr.shape, dtype=int)))
        cotangent = constant(expr.graph, numbers.reshape(expr.shape))
        rule = op.vjp(0)
        assert rule is not None
        slope = rule(expand(cotangent, expr.plates, expr.shape), expr, *args, **expr.attrs)
        return [("code", slope)]
    if not turn or (turn == "touching" and args[position] not in moving):
        return []
    return [(turn, args[position])]
