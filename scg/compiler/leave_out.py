"""Leave out: the influenced costs without one element of a plate, for every element at once."""

from __future__ import annotations

import numpy as np

from scg.compiler.first_run import FirstRun
from scg.compiler.rerun import Rerun, rerun
from scg.errors import EstimatorError
from scg.ir.expr import Expr, StochasticNode
from scg.ir.op import OPS, plate_size, same_element
from scg.ir.plate import Plate
from scg.ops.elementwise import greater, log, maximum, where
from scg.ops.reductions import REDUCTIONS, plate_logsumexp, plate_sum

IMPUTE = ("geometric", "arithmetic")
LOGSUMEXP = OPS["logsumexp"]


class LeaveOut:
    """Leave-one-out versions of all reductions over a plate between a node and its costs.

    The element that is left out lies on a twin of the plate. The other elements impute its own
    contribution to a reduction: by their mean, which in log Σ exp(x) is the geometric mean of
    exp(x), or there by the arithmetic mean of exp(x) ("arithmetic"). If a call has no others, 0
    stands in.
    """

    def __init__(self, first: FirstRun, node: StochasticNode, plate: Plate, impute: str):
        if impute not in IMPUTE:
            known = " or ".join(f'"{word}"' for word in IMPUTE)
            raise EstimatorError(f"downstream.without: impute must be {known}, got {impute!r}")
        if plate not in node.plates:
            have = ", ".join(repr(p.name) for p in node.plates) or "none"
            raise EstimatorError(
                f"node {node.name!r} does not live on plate {plate.name!r} (its plates: {have}); "
                f"declare it there: g.sample({node.name!r}, ..., plates=plate)"
            )
        if plate.length is not None and plate.length < 2:
            raise EstimatorError(
                f"plate {plate.name!r} needs at least 2 elements to leave one out: "
                f"scg.Plate({plate.name!r}, length=5)"
            )
        self.first, self.node, self.plate, self.impute = first, node, plate, impute
        self.length = plate_size(first.graph, plate)
        self.others = maximum(self.length - 1.0, 1.0)
        self.twin = first.twin(plate)
        self.own = same_element(first.graph, plate, self.twin)
        self.below: set[Expr] = {node}
        for expr in first.influence.order:
            if any(arg in self.below for arg in expr.args):
                self.below.add(expr)

    def run(self) -> Rerun:
        """Run the graph with the reductions replaced, on the same noise."""
        run = rerun(self.first, {}, "same", self._change)
        for reach in self.first.influence.downstream[self.node]:
            for _, cost in reach.members:
                if self.plate in run.env[cost].plates:
                    # A cost on the plate itself is reduced by the objective.
                    mean = self._mean(run.env[cost])
                    run.env[cost] = mean if self.plate in reach.sep else self.length * mean
        return run

    def back(self, x: Expr) -> Expr:
        """Move the twin plate back to the plate."""
        return plate_sum(where(self.own, x, 0.0), self.twin) if self.twin in x.plates else x

    def _change(self, expr: Expr, env: dict[Expr, Expr]) -> Expr | None:
        if expr not in self.below or self.plate in expr.plates:
            return None
        if not any(self.plate in arg.plates for arg in expr.args):
            return None
        if expr.op not in REDUCTIONS:
            raise EstimatorError(
                f"{expr.op.name!r} mixes the elements of plate {self.plate.name!r} below node "
                f"{self.node.name!r}; only sums, maxima and logsumexp over it can leave one out"
            )
        (arg,) = expr.args
        x = env[arg]
        arithmetic = self.impute == "arithmetic" and expr.op is LOGSUMEXP
        fill = self._log_mean_exp(x) if arithmetic else self._mean(x)
        return expr.op.build(expr.graph, (where(self.own, fill, x),), expr.attrs)

    def _mean(self, x: Expr) -> Expr:
        return plate_sum(where(self.own, 0.0, x), self.plate) / self.others

    def _log_mean_exp(self, x: Expr) -> Expr:
        others = plate_logsumexp(where(self.own, -np.inf, x), self.plate)
        return where(greater(self.length, 1.0), others - log(self.others), 0.0)
