"""Classes sampled by coupled uniforms: search on the CDF, the classes in a random order."""

from __future__ import annotations

from typing import Any

import numpy as np

from scg.distributions.categorical import search
from scg.distributions.protocols import Classes
from scg.estimators.parts.couplings import Coupling, length, rarer_first, times, upside_down
from scg.estimators.protocol import Sampler
from scg.ir.expr import Expr
from scg.ir.plate import Plate
from scg.ops.elementwise import cast, greater, logical_and, where
from scg.ops.gather import one_hot
from scg.ops.reductions import sum
from scg.ops.shape import np_expand_dims
from scg.ops.statistics import argmax


def in_random_order(
    dist: Classes, coupling: Coupling, noise: Sampler, plate: Plate
) -> tuple[Expr, Expr, Expr]:
    """Classes on a sample plate, the joint distribution of two of them, and the coupled uniforms.

    The samples share one of C(C−1)/2 orders, drawn for each variable. Each pair of classes is at
    the ends of one order, so that the probability P(c, d) of two samples is nowhere zero.
    """
    orders, before = cyclic_orders(dist.classes)
    first, last = (times(np.eye(dist.classes)[orders[:, end]], dist.probs) for end in (0, -1))
    flip = rarer_first(coupling, first, last, length(plate))
    coupled = coupling.uniforms(noise, plate, (*dist.batch_shape, 1))
    joint = _joint(dist.probs, before, flip, coupling, length(plate))
    return _search(dist, orders, flip, coupled, noise), joint, coupled


def _joint(p: Expr, before: np.ndarray, flip: Any, coupling: Coupling, count: int) -> Expr:
    """P(c, d) of two samples: the mass of rectangles, averaged over the orders."""
    low = times(before, np_expand_dims(p, -2))
    high = low + np_expand_dims(p, -2)
    if flip is not None:
        turned = np_expand_dims(flip, -1)
        low, high = where(turned, 1.0 - high, low), where(turned, 1.0 - low, high)

    def mass(a: Any, b: Any) -> Any:
        return coupling.cdf(np_expand_dims(a, -1), np_expand_dims(b, -2), count)

    rectangles = mass(high, high) + mass(low, low) - mass(low, high) - mass(high, low)
    return sum(rectangles, axis=-3) / float(len(before))


def _search(dist: Classes, orders: np.ndarray, flip: Any, u: Expr, noise: Sampler) -> Expr:
    """The classes at the uniforms, in the order that is drawn."""
    table = np.eye(dist.classes)[orders]
    if len(orders) > 1:
        place = noise.uniform((*dist.batch_shape, 1), "order") * float(len(orders))
        steps = np.arange(len(orders))
        picked = cast(logical_and(greater(place, steps), place <= steps + 1.0))
        table = sum(np_expand_dims(np_expand_dims(picked, -1), -1) * table, axis=-3)
        flip = None if flip is None else greater(sum(picked * cast(flip), -1, True), 0.5)
    else:
        table = table[0]
    u = u if flip is None else upside_down(u, flip)
    place = one_hot(search(times(table, dist.probs), u), dist.classes)
    return argmax(sum(table * np_expand_dims(place, -1), axis=-2), axis=-1)


def cyclic_orders(classes: int) -> tuple[np.ndarray, np.ndarray]:
    """The orders, one for each pair of classes at its ends, the later class first.

    Also, for each order, which classes [c, d] have d before c.
    """
    orders = []
    for first in range(1, classes):
        cycle = [(first + k) % classes for k in range(1, classes)]
        for last in range(first):
            cut = cycle.index(last) + 1
            orders.append([first, *cycle[cut:], *cycle[:cut]])
    table = np.array(orders or [[0]])
    rank = np.argsort(table, axis=1)
    return table, (rank[:, None, :] < rank[:, :, None]) * 1.0
