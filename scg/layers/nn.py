"""Layers as plain functions: each declares its parameters in a scope and returns nodes.

Inputs are events: one example. A batch is a plate.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from scg.errors import DeclarationError
from scg.graph.core import Graph
from scg.graph.init import glorot_uniform
from scg.graph.parameters import Initializer
from scg.ir.expr import Expr, describe
from scg.ops.convolution import Pair, pair
from scg.ops.convolution import conv2d as convolve
from scg.ops.elementwise import relu, sigmoid, sqrt, square, tanh
from scg.ops.reductions import mean


def linear(
    g: Graph,
    name: str,
    x: Expr,
    width: int,
    *,
    bias: bool = True,
    init: Initializer = glorot_uniform,
) -> Expr:
    """Return x W + b.

    Parameters
    ----------
    g : Graph
        Where the parameters are declared.
    name : str
        Scope of the parameters ``W``, shape (inputs, width), and ``b``, shape (width,).
    x : node
        Input, shape (..., inputs).
    width : int
        Number of outputs.
    bias : bool
        Whether there is a ``b``; it starts at zero.
    init : callable
        Initializer of ``W``.

    Examples
    --------
    >>> import scg
    >>> g = scg.Graph()
    >>> h = scg.nn.linear(g, "out", g.data("x", shape=3), 2)
    >>> h.shape, {name: value.shape for name, value in g.init(seed=0).items()}
    ((2,), {'out/W': (3, 2), 'out/b': (2,)})
    """
    _check(x, 1, "linear", "a vector or more axes, inputs last")
    with g.scope(name):
        out = x @ g.parameter("W", shape=(x.shape[-1], width), init=init)
        return out + g.parameter("b", shape=(width,)) if bias else out


def mlp(
    g: Graph,
    name: str,
    x: Expr,
    widths: Sequence[int],
    *,
    activation: Callable[[Expr], Expr] = relu,
    init: Initializer = glorot_uniform,
) -> Expr:
    """Return linear layers of some widths with an activation between, not after, them.

    The layers' scopes are ``name/0``, ``name/1``, ...
    """
    if not isinstance(widths, Sequence) or not widths:
        raise DeclarationError(f"nn.mlp: widths is a list such as [20, 1], got {widths!r}")
    with g.scope(name):
        for i, width in enumerate(widths):
            x = linear(g, str(i), x if i == 0 else activation(x), width, init=init)
    return x


def conv2d(
    g: Graph,
    name: str,
    x: Expr,
    filters: int,
    size: int | Pair,
    *,
    stride: int | Pair = 1,
    padding: int | Pair = 0,
    bias: bool = True,
    init: Initializer = glorot_uniform,
) -> Expr:
    """Return cross-correlations of an image (channels, H, W) with `filters` filters.

    The parameters are ``W``, shape (filters, channels, height, width), and ``b``, shape (filters,).
    See :func:`scg.conv2d` for `stride` and `padding`.
    """
    _check(x, 3, "conv2d", "an image (channels, H, W)")
    height, width = pair(size, "nn.conv2d", 1)
    channels = x.shape[0]

    def filter_init(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        return init(rng, (channels * height * width, filters)).T.reshape(shape)

    with g.scope(name):
        weight = g.parameter("W", shape=(filters, channels, height, width), init=filter_init)
        out = convolve(x, weight, stride=stride, padding=padding)
        return out + g.parameter("b", shape=(filters,))[:, None, None] if bias else out


def layer_norm(g: Graph, name: str, x: Expr, *, epsilon: float = 1e-5) -> Expr:
    """Return x with mean 0 and variance 1 along its last axis, times ``scale`` plus ``shift``.

    Ba, Kiros and Hinton (2016, equation 4).
    """
    _check(x, 1, "layer_norm", "a vector or more axes")
    centred = x - mean(x, -1, keepdims=True)
    unit = centred / sqrt(mean(square(centred), -1, keepdims=True) + epsilon)
    with g.scope(name):
        scale = g.parameter("scale", np.ones(x.shape[-1]))
        return unit * scale + g.parameter("shift", np.zeros(x.shape[-1]))


def gru_cell(
    g: Graph, name: str, width: int, *, init: Initializer = glorot_uniform
) -> Callable[[Expr, Expr], Expr]:
    """Return a function (x, h) -> h' that applies one gated recurrent unit, always the same one.

    Parameters
    ----------
    g : Graph
        Where the parameters are declared, when the function is first called.
    name : str
        Scope of ``W`` (inputs, 3 width), ``U`` (width, 3 width) and ``b`` (3 width): the reset
        gate's columns, the update gate's, and the candidate's.
    width : int
        Number of elements of the state h.
    init : callable
        Initializer of ``W`` and ``U``.

    Notes
    -----
    h' = u h + (1 − u) tanh(x W + r (h U) + b) with gates r and u; Cho et al. (2014), with the reset
    gate after the product.
    """
    parameters: list[Expr] = []

    def cell(x: Expr, h: Expr) -> Expr:
        _check(x, 1, "gru_cell", "a vector")
        if h.shape != (width,):
            raise DeclarationError(
                f"gru_cell {name!r}: expected a state of shape ({width},), got {describe(h)}"
            )
        if not parameters:
            with g.scope(name):
                parameters.append(g.parameter("W", shape=(x.shape[-1], 3 * width), init=init))
                parameters.append(g.parameter("U", shape=(width, 3 * width), init=init))
                parameters.append(g.parameter("b", shape=(3 * width,)))
        w, u, b = parameters
        inner, outer = x @ w + b, h @ u
        reset = sigmoid(inner[:width] + outer[:width])
        update = sigmoid(inner[width : 2 * width] + outer[width : 2 * width])
        candidate = tanh(inner[2 * width :] + reset * outer[2 * width :])
        return update * h + (1.0 - update) * candidate

    return cell


def _check(x: Expr, least: int, caller: str, expected: str) -> None:
    if not isinstance(x, Expr) or x.ndim < least:
        got = describe(x) if isinstance(x, Expr) else repr(x)
        raise DeclarationError(f"nn.{caller}: expected {expected} as input, got {got}")
