"""Guard: checks of values that samples decide, and of costs and their derivatives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from scg.engine.program import Program
from scg.errors import CallError
from scg.graph.core import CoreGraph
from scg.ir.expr import Expr, describe
from scg.ir.plate import ordered
from scg.ir.walk import topological
from scg.ops.reductions import expand
from scg.run.checks import checks_of

#: What an error calls the outputs that must be finite.
_DERIVATIVES = {
    "grads": "the gradient of",
    "data_grads": "the gradient of data",
    "hessian": "the second derivative in",
}


class Guard:
    """Checks the runs of a step; its errors name the node.

    `env` holds what each declared node is in the surrogate, `whole` computes costs and derivatives.
    """

    def __init__(self, graph: CoreGraph, env: Mapping[Expr, Expr], whole: Program):
        self.graph, self.env, self.whole = graph, env, whole
        self.checks = [check for check in checks_of(graph).every if check.node in self.env]
        outputs: dict[Any, Expr] = {}
        for i, check in enumerate(self.checks):
            outputs["value", i] = self.env[check.node]
            if check.mask is not None:
                mask = self.env.get(check.mask, check.mask)
                plates = ordered((*outputs["value", i].plates, *mask.plates))
                outputs["value", i] = expand(outputs["value", i], plates, check.node.shape)
                outputs["mask", i] = expand(mask, plates, mask.shape)
        self.program = Program(outputs, whole.dtype)

    def before(self, values: Mapping[str, Any], noise: Mapping[str, Any], sizes: Any) -> None:
        """Raise if an argument of a distribution or an observation is invalid in a run."""
        if not self.checks:
            return
        used = {name: noise[name] for name in self.program.noise}
        out = self.program.run(values, used, sizes)
        for i, check in enumerate(self.checks):
            there = out.get(("mask", i))
            try:
                check(out["value", i], there)
            except CallError:  # which run?
                for run, x in enumerate(out["value", i]):
                    check(x, None if there is None else there[run], f" in run {run}")

    def after(
        self,
        out: Mapping[Any, Any],
        values: Mapping[str, Any],
        noise: Mapping[str, Any],
        sizes: Any,
    ) -> None:
        """Raise if a cost or a derivative of a run is not finite, and name the first such node."""
        for key, value in out.items():
            if key[0] == "costs" or key[0] in _DERIVATIVES:
                bad = ~np.isfinite(value).reshape(len(value), -1).all(axis=1)
                if bad.any():
                    self._blame(key, int(np.argmax(bad)), values, noise, sizes)

    def _blame(
        self, key: Any, run: int, values: Mapping[str, Any], noise: Mapping[str, Any], sizes: Any
    ) -> None:
        kind, name = key
        if kind == "costs":
            declared = {value: node for node, value in self.env.items()}
            what, single = f"cost {name!r}", self.graph.costs.get(name)
            root = self.whole.outputs[key] if single is None else self.env[single]
        else:
            declared = {}
            root, what = self.whole.outputs[key], f"{_DERIVATIVES[kind]} {name!r}"
        order = topological((root,))
        program = Program(dict(enumerate(order)), self.whole.dtype)
        single = {leaf: noise[leaf][run : run + 1] for leaf in program.noise}
        out = program.run(values, single, sizes)
        found = {expr: out[i][0] for i, expr in enumerate(order)}
        expr = root
        while bad := [arg for arg in expr.args if not np.all(np.isfinite(found[arg]))]:
            expr = bad[0]
        node = declared.get(expr, expr)
        inputs = ", ".join(_shown(found[arg]) for arg in expr.args)
        made = f" = {node.op.name}({inputs})" if expr.args else ""
        raise CallError(
            f"{what} is not finite in run {run}; the first node that is not is "
            f"{describe(node)}{made} = {_shown(found[expr])}"
        )


def _shown(value: Any) -> str:
    value = np.asarray(value)
    if value.size == 1:
        return np.array2string(value.reshape(()), precision=6)
    bad = ~np.isfinite(value)
    if not bad.any():
        return "..."
    where_ = tuple(int(i) for i in np.argwhere(bad)[0])
    return f"{value[where_]} at index {', '.join(map(str, where_))}"
