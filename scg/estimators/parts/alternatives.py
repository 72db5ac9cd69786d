"""Alternatives: a discrete node with one coordinate at a time moved to each of its values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scg.distributions.base import Distribution
from scg.estimators.protocol import Downstream, along
from scg.ir.expr import Expr
from scg.ir.op import constant
from scg.ir.plate import Plate
from scg.ops.elementwise import possible, where
from scg.ops.reductions import plate_sum


@dataclass(frozen=True)
class Alternatives:
    """The values of a node that differ from its sample in at most one coordinate, on a plate.

    Attributes
    ----------
    value : Expr
        The node at each alternative, on the plate.
    plate : Plate
        One element for each coordinate and each of its values.
    probs : Expr
        The probabilities of the values, of shape (coordinates..., values).
    """

    value: Expr
    plate: Plate
    probs: Expr

    def arranged(self, x: Expr) -> Expr:
        """`x` with the plate moved to event axes (coordinates..., values)."""
        here = np.eye(self.probs.size, dtype=bool).reshape(-1, *self.probs.shape)
        return plate_sum(where(constant(x.graph, here, (self.plate,)), x, 0.0), self.plate)


def marginalized(dist: Distribution, value: Expr, downstream: Downstream) -> Expr:
    """The term that injects the costs of all alternatives along their probabilities."""
    every = alternatives(dist, value, downstream)
    cost = every.arranged(downstream.alone(every.value).cost)
    return along(possible(cost, every.probs), every.probs)


def alternatives(dist: Distribution, value: Expr, downstream: Downstream) -> Alternatives:
    """Each coordinate of `value` at each of its values, the others as they were sampled."""
    values, probs = dist.coordinate_values(), dist.coordinate_probs()
    inner = values.shape[1:]
    coordinates = probs.size // len(values)
    plate = downstream.plate(coordinates * len(values))
    changed = np.repeat(np.eye(coordinates, dtype=bool), len(values), axis=0)
    changed = changed.reshape(-1, *probs.shape[:-1], *(1 for _ in inner))
    new = np.tile(values, (coordinates, *(1 for _ in inner)))
    new = new.reshape(len(new), *(1 for _ in probs.shape[:-1]), *inner)
    graph = value.graph
    point = where(constant(graph, changed, (plate,)), constant(graph, new, (plate,)), value)
    return Alternatives(point, plate, probs)
