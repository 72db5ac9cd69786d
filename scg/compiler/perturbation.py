"""Perturbation: particles with parameters of their own, which are credited by their scores.

The particles of persistent evolution strategies lie on two plates: pairs, and the signs of a pair.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from scg.compiler.continuation import Continuation
from scg.compiler.forward import joined, parted
from scg.estimators.pes import PES
from scg.ir.expr import Expr
from scg.ir.op import NOISE, constant, intern
from scg.ir.plate import Plate
from scg.ops.gradient import graft, stop
from scg.ops.reductions import expand, zeros


class Perturbation:
    """Perturbed parameters, and the score of all perturbations so far.

    Attributes
    ----------
    values : dict
        What takes the place of each parameter.
    weights : dict
        The weight of each particle on each plate.
    mirror : Plate
        The plate of a pair, whose particles share all other noise.
    """

    def __init__(self, graph: Any, how: PES, learned: Sequence[Expr], window: Continuation | None):
        pairs = Plate.internal("pairs", how.pairs, rank=1)
        self.mirror = Plate.internal("signs", 2, rank=1)
        self.weights = {pairs: constant(graph, 1.0 / how.pairs), self.mirror: constant(graph, 0.5)}
        theta = joined(learned)
        attrs = {"name": "#perturbation", "law": "normal"}
        leaf = intern(graph, NOISE, (), attrs, (theta.shape, (pairs,), "float"))
        unit = leaf * constant(graph, np.array([1.0, -1.0]), (self.mirror,))
        moves = parted(how.sigma * unit, learned)
        self.values = {p: stop(p) + move for p, move in zip(learned, moves, strict=True)}
        so_far = unit / how.sigma
        if window is not None:
            so_far = so_far + window.over("perturbations", zeros(so_far))
            window.end("perturbations", so_far)
        none = expand(constant(graph, 0.0), so_far.plates, ())
        self._score = graft(none, stop(so_far) @ theta)

    def score(self, cost: Expr) -> Expr | None:
        """The score for a cost, unless it depends on no parameter."""
        return self._score if self.mirror in cost.plates else None
