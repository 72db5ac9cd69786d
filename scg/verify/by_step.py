"""By step: the noise of each step of an unrolled scan as a leaf of its own.

Steps share a leaf, of which each reads a slice. The samples of a later step depend on slices of the
same leaf, and integrals over noise are taken leaf by leaf.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from scg.engine.program import Program
from scg.graph.core import CoreGraph
from scg.ir.expr import Expr
from scg.ir.op import NOISE, intern
from scg.ir.walk import rewrite, topological
from scg.ops.steps import at_step


def by_step(step: Any) -> Any:
    """A step in which slices of noise are leaves; itself if its graph has no steps."""
    if not step.graph.steps:
        return step
    apart = _Apart(step.graph)
    terms = {}
    for node, term in step.surrogate.terms.items():
        draw = term.draw._replace(value=apart(term.draw.value))
        if draw.coupling is not None:
            draw = draw._replace(coupling=(apart(draw.coupling[0]), draw.coupling[1]))
        terms[node] = replace(term, draw=draw)
    surrogate: Any = object.__new__(type(step.surrogate))
    costs = {name: apart(value) for name, value in step.surrogate.costs.items()}
    added = [(node, apart(value)) for node, value in step.surrogate.added]
    surrogate.__dict__.update(vars(step.surrogate), terms=terms, costs=costs, added=added)
    old = step.program
    outputs = {key: apart(value) for key, value in old.outputs.items()}
    return replace(step, surrogate=surrogate, program=Program(outputs, old.dtype, old.backend))


class _Apart:
    """Replaces slices of noise by leaves that are named after the node of the step."""

    def __init__(self, graph: CoreGraph):
        self.names = {step: name for name, step in graph.steps.items() if name in graph.stochastic}
        self.env: dict[Expr, Expr] = {}
        self.slices: dict[Expr, tuple[str, tuple[Any, ...]]] = {}

    def __call__(self, expr: Expr) -> Expr:
        env = self.env
        for e in topological((expr,), known=env):
            leaf = env[e.args[0]] if e.op is at_step else None
            if leaf is not None and leaf.op is NOISE:
                name, at = self.slices.get(leaf, (leaf.attrs["name"], ()))
                at = (*at, (e.attrs["plate"], e.attrs["index"]))
                attrs = {**leaf.attrs, "name": self._name(name, at)}
                env[e] = intern(e.graph, NOISE, (), attrs, (e.shape, e.plates, e.kind))
                self.slices[env[e]] = name, at
            else:
                rewrite((e,), env)
        return env[expr]

    def _name(self, leaf: str, at: tuple[Any, ...]) -> str:
        for (node, steps), name in self.names.items():
            if steps == at and leaf.startswith((f"{node}/", f"{node}#")):
                return name + leaf[len(node) :]
        return f"{leaf}{[k for _, k in at]}"
