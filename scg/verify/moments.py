"""Exact moments of a gradient estimate over its own noise.

The noise leaves are walked in the order in which they depend on each other. A uniform leaf that
only meets comparisons is split at its thresholds: a cell has its length as weight and its midpoint
as representative. A leaf that is used smoothly is integrated by Gauss quadrature inside each cell,
with an error estimate by doubling. Branches multiply; all of them run at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np

from scg.arguments import checked
from scg.compile import finish
from scg.engine.interpreter import Sizes, full
from scg.engine.program import Program
from scg.errors import EnumerationError
from scg.ir.expr import Expr
from scg.ir.plate import Plate
from scg.run.curvature import assemble
from scg.run.result import nest
from scg.run.step import Step
from scg.verify.boxes import stand_in
from scg.verify.cells import Thresholds, Uses, cells, uses

LIMIT = 1 << 20
_TOLERANCE = 1e-9
_CONVERGED = 1e-6
_EDGE = 2.0**-53  # uniforms are open
_NORMAL_RANGE = 10.0  # beyond it lies 1.5e-23 of the probability
_FIRST_RULE, _LAST_RULE = 8, 256


@dataclass
class Branches:
    """Joint outcomes of the noise: their weights, and a representative of each leaf."""

    weight: np.ndarray
    noise: dict[str, np.ndarray] = field(default_factory=dict)


@dataclass
class Moments:
    """Exact moments of one single-run gradient estimate.

    Attributes
    ----------
    cost : float
        Mean of the cost estimate.
    mean, variance : dict
        Mean and variance of the gradient estimate, with the keys and shapes of the parameters.
    hessian : dict
        Mean of the Hessian estimate, for a step of order 2.
    state, estimator_grads : dict
        Means of the new state (with the own parameters, unchanged) and of the gradients of the
        estimators' own parameters.
    outcomes : int
        Number of joint outcomes.
    error : float
        Largest change when quadrature rules were doubled; 0 where every leaf was split exactly.
    """

    cost: float
    mean: dict[str, np.ndarray]
    variance: dict[str, np.ndarray]
    hessian: dict[str, dict[str, np.ndarray]]
    state: dict[str, dict[str, np.ndarray]]
    estimator_grads: dict[str, dict[str, np.ndarray]]
    outcomes: int
    error: float
    _rows: list[tuple[float, dict[str, Any]]] = field(repr=False, default_factory=list)

    def table(self, rows: int = 32) -> str:
        """Return the enumerated outcomes as text: draws, probability, cost, gradients.

        Parameters
        ----------
        rows : int
            How many outcomes, the most probable first; their order is that of the noise.
        """
        return outcome_table(self._rows, rows)


@checked("scg.moments(step, params)")
def moments(
    step: Step,
    params: Mapping[str, Any],
    data: Mapping[str, Any] | None = None,
    state: Mapping[str, Mapping[str, Any]] | None = None,
    *,
    limit: int = LIMIT,
) -> Moments:
    """Compute the exact mean and variance of a step's gradient estimate.

    Parameters
    ----------
    step : Step
        A compiled step in float64.
    params, data, state : mapping
        As for a call of the step.
    limit : int
        The largest number of joint outcomes to compute.

    Raises
    ------
    EnumerationError
        If there are more than `limit` outcomes, or a draw depends on its own noise in a way that
        cannot be split.

    Examples
    --------
    >>> import scg
    >>> g = scg.Graph("toy")
    >>> theta = g.parameter("theta", 0.0)
    >>> b = g.sample("b", scg.Bernoulli(logits=theta))
    >>> g.cost("loss", (b - 0.25) ** 2)
    >>> m = scg.moments(scg.compile(g, scg.ScoreFunction()), g.init(seed=0))
    >>> m.mean["theta"].item(), round(m.variance["theta"].item(), 12)
    (0.125, 0.0244140625)
    """
    values, sizes, memory = step.checked(params, data, state)
    outputs = {**step.program.outputs, **(step.curvature.outputs if step.curvature else {})}
    walk = Walk(outputs, values, sizes, _couplings(step), limit)
    rule = _FIRST_RULE
    result = _weighted(step, values, sizes, walk.branches(rule))
    error = 0.0
    while walk.smooth and rule < _LAST_RULE:
        rule *= 2
        try:
            finer = _weighted(step, values, sizes, walk.branches(rule))
        except EnumerationError:
            if not np.isfinite(error) or rule == 2 * _FIRST_RULE:
                raise
            break
        error = max(
            float(np.max(np.abs(finer[0][key] - value), initial=0.0))
            for key, value in result[0].items()
        )
        result = finer
        if error < _TOLERANCE:
            break
    if error > _CONVERGED and any(found.jumps for found in walk.uses.values()):
        raise EnumerationError(
            "the noise meets a jump whose place cannot be computed, and quadrature did not "
            f"converge (last change {error:.1e}). Use many runs: scg.check(step, params, seed=0)"
        )
    mean, square, branches = result
    table = _draws(step, values, sizes, branches)
    return Moments(
        cost=float(mean[("cost",)]),
        mean={name: mean["grads", name] for name in step.graph.parameters},
        variance={
            name: square["grads", name] - mean["grads", name] ** 2 for name in step.graph.parameters
        },
        hessian=assemble(step.layout.second, mean),
        state=nest(memory, mean, "state"),
        estimator_grads=nest({}, mean, "own"),
        outcomes=len(branches.weight),
        error=error,
        _rows=table,
    )


def _couplings(step: Step) -> list[tuple[Expr, Any, Plate]]:
    draws = [term.draw for term in step.surrogate.terms.values()]
    return [(*d.coupling, d.plate) for d in draws if d.coupling and d.plate]


class Walk:
    """Walks the noise leaves below some expressions and multiplies branches."""

    def __init__(
        self,
        outputs: Mapping[Any, Expr],
        values: Mapping[str, Any],
        sizes: Sizes,
        couplings: Sequence[tuple[Expr, Any, Plate]] = (),
        limit: int = LIMIT,
    ):
        self.values, self.sizes, self.limit = values, sizes, limit
        replaced, self.coupled = stand_in(outputs, couplings)
        exprs = list(replaced.values())
        leaves = list(Program(dict(enumerate(exprs))).noise.values())
        self.uses: dict[Expr, Uses] = {leaf: uses(leaf, exprs) for leaf in leaves}
        self.order: list[Expr] = []
        waiting = dict.fromkeys(leaves)
        while waiting:
            ready = [e for e in waiting if self.uses[e].needs <= set(self.order)]
            if not ready:
                names = ", ".join(repr(e.attrs["name"]) for e in waiting)
                raise EnumerationError(
                    f"the draws of {names} compare noise with itself and cannot be split into "
                    "cells. Use many runs instead: scg.check(step, params, seed=0)"
                )
            self.order += ready
            for leaf in ready:
                del waiting[leaf]
        self.thresholds = {leaf: Thresholds(leaf, self.uses[leaf]) for leaf in leaves}
        self.smooth = any(found.smooth for found in self.uses.values())

    def branches(self, rule: int) -> Branches:
        """Return all joint outcomes, with `rule` quadrature nodes in each cell of smooth leaves."""
        joint = Branches(np.ones(1))
        for leaf in self.order:
            count = len(joint.weight)
            split = self.thresholds[leaf](self.values, joint.noise, count, self.sizes)
            origin = np.arange(count)
            weight = joint.weight
            shape = full(leaf, self.sizes)
            elements: dict[int, np.ndarray] = {}
            coupled = self.coupled.get(leaf)
            numbers = coupled.groups(leaf, shape) if coupled else np.arange(len(split))[:, None]
            for group in numbers:
                if coupled:
                    points, shares = coupled.boxes([split[i] for i in group])
                else:
                    points, shares = self._points(leaf, split[group[0]], rule)
                    points = points[..., None]
                points, shares = points[origin], shares[origin]
                _check_count(len(weight) * points.shape[1], self.limit)
                product = (weight[:, None] * shares).reshape(-1)
                kept = np.flatnonzero(product > 0)
                parent = kept // points.shape[1]
                elements = {i: column[parent] for i, column in elements.items()}
                columns = points.reshape(-1, len(group))[kept]
                elements |= {i: columns[:, k] for k, i in enumerate(group)}
                weight, origin = product[kept], origin[parent]
            column = (
                np.stack([elements[i] for i in range(len(elements))], axis=1)
                if elements
                else np.empty((len(weight), 0))
            )
            joint = Branches(
                weight,
                {name: array[origin] for name, array in joint.noise.items()}
                | {leaf.attrs["name"]: column.reshape(len(weight), *shape)},
            )
        for leaf, coupled in self.coupled.items():
            points = joint.noise.pop(leaf.attrs["name"], None)
            joint.noise.update({} if points is None else coupled.noise(leaf, points))
        return joint

    def _points(
        self, leaf: Expr, thresholds: np.ndarray, rule: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Representatives and weights, (branches, points), of one element."""
        normal = leaf.attrs["law"] == "normal"
        if normal and thresholds.shape[1] == 0:
            x, w = np.polynomial.hermite_e.hermegauss(rule)
            rows = (len(thresholds), rule)
            return np.broadcast_to(x, rows), np.broadcast_to(w / w.sum(), rows)
        span = (-_NORMAL_RANGE, _NORMAL_RANGE) if normal else (0.0, 1.0)
        low, high = cells(thresholds, *span)
        if not normal and not self.uses[leaf].smooth:
            return (low + high) / 2, high - low
        x, w = _gauss_rule(rule) if normal else _clustered_rule(rule)
        middle, half = (high + low)[..., None] / 2, (high - low)[..., None] / 2
        points = (middle + half * x).reshape(len(low), -1)
        shares = (half * w).reshape(len(low), -1)
        if normal:
            return points, shares * np.exp(-0.5 * points**2) / np.sqrt(2.0 * np.pi)
        return np.clip(points, _EDGE, 1.0 - _EDGE), shares


@cache
def _gauss_rule(rule: int) -> tuple[np.ndarray, np.ndarray]:
    return np.polynomial.legendre.leggauss(rule)


@cache
def _clustered_rule(rule: int) -> tuple[np.ndarray, np.ndarray]:
    """Gauss-Legendre after x = (15 t − 10 t³ + 3 t⁵)/8.

    The derivative vanishes at both ends, so that what is singular there, as the logarithms of
    inverse distribution functions are, is integrated as fast as what is smooth.
    """
    t, w = _gauss_rule(rule)
    return t * (15.0 - 10.0 * t**2 + 3.0 * t**4) / 8.0, w * 15.0 / 8.0 * (1.0 - t**2) ** 2


def _check_count(count: int, limit: int) -> None:
    if count > limit:
        raise EnumerationError(
            f"more than {limit} joint outcomes of the noise: too many for exact moments. Use "
            "a smaller graph, or many runs: scg.check(step, params, seed=0)"
        )


def _weighted(
    step: Step, values: Mapping[str, Any], sizes: Sizes, branches: Branches
) -> tuple[dict[Any, np.ndarray], dict[Any, np.ndarray], Branches]:
    """Weighted means of all outputs and of their squares, in blocks of bounded memory."""
    mean: dict[Any, np.ndarray] = {}
    square: dict[Any, np.ndarray] = {}
    for block in step.program.blocks(len(branches.weight), sizes):
        rows = slice(block.start, block.stop)
        noise = {name: array[rows] for name, array in branches.noise.items()}
        out = step.outcomes(values, noise, sizes, len(block))
        for key, value in out.items():
            weight = branches.weight[rows]
            mean[key] = mean.get(key, 0.0) + np.tensordot(weight, value, axes=1)
            square[key] = square.get(key, 0.0) + np.tensordot(weight, value**2, axes=1)
    return mean, square, branches


def _draws(
    step: Step, values: Mapping[str, Any], sizes: Sizes, branches: Branches
) -> list[tuple[float, dict[str, Any]]]:
    """The most probable outcomes with draws, cost and gradients, for the table."""
    shown = np.sort(np.argsort(-branches.weight, kind="stable")[:256])
    noise = {name: array[shown] for name, array in branches.noise.items()}
    drawn = finish({node.name: term.draw.value for node, term in step.surrogate.terms.items()})
    # A draw of which nothing is left in the program has no branches, and no column.
    kept = {k: e for k, e in drawn.outputs.items() if noise.keys() >= Program({k: e}).noise.keys()}
    draws = Program(kept).run(values, {name: noise[name] for name in Program(kept).noise}, sizes)
    out = step.outcomes(values, noise, sizes, len(shown))
    rows = []
    for i, k in enumerate(shown):
        cells = {name: value[i if len(value) > 1 else 0] for name, value in draws.items()}
        cells["cost"] = out[("cost",)][i]
        cells |= {f"∂/∂{name}": out["grads", name][i] for name in step.graph.parameters}
        rows.append((float(branches.weight[k]), cells))
    return rows


def outcome_table(rows: list[tuple[float, dict[str, Any]]], limit: int) -> str:
    """Format outcomes as a table of text."""
    most = sorted(range(len(rows)), key=lambda i: -rows[i][0])[:limit]
    lines = [["probability", *(rows[0][1] if rows else ())]]
    for i in sorted(most):
        probability, cells = rows[i]
        lines.append([f"{probability:.6f}", *(_short(value) for value in cells.values())])
    widths = [max(len(line[k]) for line in lines) for k in range(len(lines[0]))]
    text = [
        "  ".join(f"{cell:>{w}}" for cell, w in zip(line, widths, strict=True)) for line in lines
    ]
    if len(rows) > limit:
        text.append(f"... and {len(rows) - limit} less probable outcomes")
    return "\n".join(text)


def _short(value: Any) -> str:
    flat = np.ravel(value)
    words = [f"{x:.6g}" for x in flat[:6]]
    return ", ".join(words) + (", ..." if len(flat) > 6 else "")
