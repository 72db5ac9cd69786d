"""A learned, input-dependent baseline (NVIL)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from scg.common.arguments import Fraction
from scg.distributions.base import FAR, Distribution
from scg.estimators.baselines.base import Baseline
from scg.estimators.baselines.simple import moving_average
from scg.estimators.protocol import Downstream, Draw, Memory
from scg.ir.expr import Expr
from scg.ops.elementary import clip
from scg.ops.elementwise import absolute, cast, equal, square, tanh, where
from scg.ops.gradient import stop
from scg.ops.linalg import matmul
from scg.ops.shape import np_concatenate, np_reshape


def _uniform_fan_in(rng: np.random.Generator, shape: tuple[int, ...]) -> Any:
    bound = 1.0 / np.sqrt(shape[0])
    return rng.uniform(-bound, bound, shape)


def zeros(rng: np.random.Generator, shape: tuple[int, ...]) -> Any:
    """Parameters that begin at zero."""
    return np.zeros(shape)


def _finite(x: Expr) -> Expr:
    """Inputs of which infinite ones, such as the logit of an impossible value, end at ±FAR."""
    return where(equal(absolute(x), np.inf), clip(x, -FAR, FAR), x)


def tanh_network(
    inputs: Sequence[Expr], hidden: tuple[int, ...], memory: Memory, learn: str
) -> Expr:
    """A network's scalar output, zero at first, of arrays of any shape; ±∞ counts as ±80.

    The weights "W0", "b0", ..., "out" are parameters of the estimator.
    """
    flat = [_finite(np_reshape(x, (x.size,))) for x in inputs]
    layer = np_concatenate(flat) if len(flat) > 1 else flat[0]
    for i, width in enumerate(hidden):
        weights = memory.parameter(f"W{i}", (layer.size, width), _uniform_fan_in, learn)
        offset = memory.parameter(f"b{i}", (width,), zeros, learn)
        layer = tanh(matmul(layer, weights) + offset)
    return matmul(layer, memory.parameter("out", (layer.size,), zeros, learn))


class Network(Baseline):
    """A tanh network of the node's inputs plus a moving average (NVIL).

    Its inputs are the data and samples on which the node directly depends; it learns by least
    squares on the centred learning signal. Use it where the mean cost varies much between data, and
    train it: its gradients are ``out.estimator_grads``, which ``scg.fit`` follows.

    Parameters
    ----------
    hidden : tuple of int
        Widths of the hidden layers.
    decay : float
        Weight of the past in the centring average.

    References
    ----------
    Mnih and Gregor (2014).
    """

    cites = ("mnih2014",)

    def __init__(self, hidden: tuple[int, ...] = (100,), decay: Fraction = 0.9):
        self.hidden = tuple(hidden)
        self.decay = decay

    def value(
        self, signal: Expr, dist: Distribution, draw: Draw, downstream: Downstream, memory: Memory
    ) -> Expr:
        """average + network(inputs); the least-squares loss is recorded."""
        centre = moving_average(signal, self.decay, downstream, memory)
        offset = memory.parameter("offset", (), zeros)
        b = offset
        if downstream.inputs:
            inputs = [stop(cast(x)) for x in downstream.inputs]
            b = tanh_network(inputs, self.hidden, memory, "loss") + offset
        memory.loss(downstream.average(square(signal * downstream.unit - centre - b)))
        return (centre + b) / downstream.unit
