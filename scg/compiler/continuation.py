"""Continuation: what a window of a sequence takes over from the window before it.

The first values of carries become leaves of the program, unless a window begins a sequence. So do
the numbers that influences take along, and a *trace* of each score: the derivative of a node's
log-probabilities in all windows before, which counts for the costs of this one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scg.errors import EstimatorError
from scg.estimators.forward import Forward
from scg.estimators.protocol import Estimator
from scg.estimators.truncation import Truncation
from scg.ir.expr import Expr, StochasticNode
from scg.ir.op import STATE, intern
from scg.ir.plate import Time
from scg.ir.walk import topological
from scg.ops.elementwise import where
from scg.ops.reductions import plate_mean


class Continuation:
    """The leaves that a window takes over, and what it hands over in their place.

    Attributes
    ----------
    leaves, ends : dict
        Of each number that is taken over, its leaf and its value after the window.
    """

    def __init__(self, graph: Any):
        self.graph = graph
        self.leaves: dict[str, Expr] = {}
        self.ends: dict[str, Expr] = {}
        #: 1 where a window begins a sequence.
        self.begins = self._leaf("begins", (), (), "float")

    def over(self, name: str, first: Expr) -> Expr:
        """What a window takes over, or `first` where it begins a sequence.

        A pass that has fewer samples than another one takes over their mean.
        """
        if name not in self.leaves:
            kind = "int" if first.kind == "bool" else first.kind
            self.leaves[name] = self._leaf(name, first.shape, first.plates, kind)
        leaf = self.leaves[name]
        leaf = plate_mean(leaf, [p for p in leaf.plates if p not in first.plates])
        return where(self.begins > 0.5, first, leaf > 0 if first.kind == "bool" else leaf)

    def end(self, name: str, value: Expr) -> None:
        """Hand a number over to the next window."""
        self.ends[name] = where(value, 1, 0) if value.kind == "bool" else value

    def _leaf(self, name: str, shape: Any, plates: Any, kind: str) -> Expr:
        # No node's name is empty, so that no other leaf's name begins so.
        return intern(self.graph, STATE, (), {"name": f"@carry/{name}"}, (shape, plates, kind))


def check_stream(graph: Any, truncation: Truncation | None) -> None:
    """Raise unless a step of a graph can take over from the window before."""
    if not graph.scans:
        raise EstimatorError(
            f"stream=True: graph {graph.name!r} has no scan, so that nothing is carried over; "
            "leave stream out"
        )
    if truncation is None:
        raise EstimatorError(
            "stream=True: backpropagation ends where a window begins. Say how credit passes: "
            "truncate=scg.RTRL(), scg.UORO() or scg.ARTBP(mean=16), which are unbiased, or "
            "scg.Truncated(k, allow_biased=True)"
        )
    for made in graph.scans.values():
        if made.reverse:
            raise EstimatorError(
                f"stream=True: scan {made.name!r} runs in reverse, from the end of a sequence that "
                "has none; leave stream out"
            )
        starts = (e for leaf in made.carries for e in topological(leaf.args))
        whole = [p.name for e in starts for p in e.plates if isinstance(p, Time)]
        if whole:
            raise EstimatorError(
                f"stream=True: scan {made.name!r} begins with what is made of the steps of "
                f"{whole[0]!r}, of which a window has a part; begin with what is known before the "
                "first step, or leave stream out"
            )


def check_signals(
    estimators: Mapping[StochasticNode, Estimator], truncation: Truncation | None
) -> None:
    """Raise where an estimator needs the costs of later windows, with which traces meet."""
    for node, own in estimators.items():
        if "later steps" in own.requires:
            raise EstimatorError(
                f"stream=True: {own!r} of node {node.name!r} bootstraps on values of later steps, "
                "which a window does not have at its end, where the costs of later windows count "
                "in full. Write trace=1.0, or leave stream out"
            )
        if "whole signal" in own.requires and isinstance(truncation, Forward):
            raise EstimatorError(
                f"stream=True: {own!r} of node {node.name!r} divides its signal, but not the costs "
                f"of later windows, which {truncation!r} credits to it as well. Leave "
                "variance_normalization out, as Adam scales the gradient itself, or write "
                "truncate=scg.Truncated(k), with which credit ends where a window does"
            )
