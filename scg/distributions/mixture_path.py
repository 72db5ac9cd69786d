"""The path of a mixture's samples: their implicit derivatives, by conditional CDFs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from scg.distributions.base import Distribution
from scg.distributions.constraints import Constraint
from scg.distributions.independent import Independent
from scg.ops.elementwise import exp
from scg.ops.gradient import graft, stop
from scg.ops.indexing import getitem
from scg.ops.reductions import log_softmax
from scg.ops.shape import concatenate, ravel, reshape

_STEPS = 2  # of Newton's method, from the sample: derivatives are right up to order three


def opened(laws: Sequence[Distribution], log_weights: Any, x: Any) -> Any:
    """The sample `x` with its derivatives in the weights and in the components' parameters.

    Coordinate after coordinate, x_d keeps F_d(x_d | x_1 ... x_d−1) = Σ_k w_k F_kd(x_d), with w_k
    the weight of component k given the coordinates before, and F_kd the distribution function of
    its coordinate given these: Graves (2016).
    """
    laws = [_elements(law) for law in laws]
    shape, flat, found = laws[0].shape, ravel(x), []
    for d in range(math.prod(shape)):
        before = _joined(found) if found else None
        parts = [_coordinate(law, d, before) for law in laws]
        weights, start = exp(log_softmax(log_weights)), stop(getitem(flat, d))
        level, y = stop(_sum(weights, [law.cdf(start) for law in parts])), start
        for _ in range(_STEPS):
            density = _sum(weights, [exp(law.log_prob_elementwise(y)) for law in parts])
            y = y - (_sum(weights, [law.cdf(y) for law in parts]) - level) / density
        y = graft(start, y)
        log_weights = log_weights + _joined([law.log_prob_elementwise(y) for law in parts])
        found.append(y)
    return reshape(_joined(found), shape=shape)


def _elements(law: Distribution) -> Distribution:
    """The distribution whose independent elements a block consists of."""
    while isinstance(law, Independent):
        law = law.base
    return law


def _family(family: type[Distribution]) -> type[Distribution]:
    """The family of these elements."""
    while issubclass(family, Independent):
        family = family.family
    return family


def _coordinate(law: Distribution, d: int, before: Any) -> Any:
    """The distribution of a coordinate given those before it."""
    if law.supports("conditional"):
        return law.conditional(d, before)
    values = (getitem(ravel(law.full(value)), d) for value in law.parameters.values())
    return type(law).rebuild(tuple(values), law.static)


def _sum(weights: Any, values: list[Any]) -> Any:
    total = getitem(weights, 0) * values[0]
    for k, value in enumerate(values[1:], 1):
        total = total + getitem(weights, k) * value
    return total


def _joined(values: list[Any]) -> Any:
    return concatenate(*(reshape(value, shape=(1,)) for value in values), axis=-1)


def closed(families: Sequence[type[Distribution]]) -> str:
    """Why samples of a mixture of families have no path; empty if they have one."""
    families = [_family(family) for family in families]
    for family in families:
        if family.kind == "int" or getattr(family.support, "kind", "") == "integer":
            return f"its component {family.__name__} is discrete, and its samples jump"
        if not family.supports("cdf") and not family.supports("conditional"):
            return f"its component {family.__name__} has no distribution function"
        if not isinstance(family.support, Constraint):
            return f"paths through mixtures of {family.__name__} are not implemented"
    supports = [family.support for family in families]
    if all(s.same(supports[0]) for s in supports):
        return ""
    return "its components have different supports, between which samples jump"
