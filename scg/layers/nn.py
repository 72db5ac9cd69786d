"""Layers: functions of nodes with their own parameters.

``layer = scg.nn.linear(g, "out", 10)`` makes a layer, and ``layer(x)`` applies it. The first call
declares its parameters in its scope, with shapes that fit the input; all calls share them. Inputs
have the shape of one example: a batch is a plate.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from scg.common.arguments import checked
from scg.errors import DeclarationError
from scg.face import Graph
from scg.graph.init import glorot_uniform
from scg.graph.parameters import Initializer
from scg.ir.expr import Expr, describe
from scg.layers.convolutional import conv2d, conv_transpose
from scg.layers.layer import Layer, bias_start
from scg.ops.elementwise import relu, sigmoid, sqrt, square, tanh
from scg.ops.reductions import mean

__all__ = ["Layer", "conv2d", "conv_transpose", "gru_cell", "layer_norm", "linear", "mlp"]


@checked('scg.nn.linear(g, "out", 10)(x)', DeclarationError)
def linear(
    g: Graph, name: str, width: int, *, bias: Any = True, init: Initializer = glorot_uniform
) -> Layer:
    """Layer x W + b.

    Parameters
    ----------
    g : Graph
        The graph that declares the parameters.
    name : str
        Scope of the parameters ``W``, shape (inputs, width), and ``b``, shape (width,).
    width : int
        Number of outputs.
    bias : bool or array_like
        True for a ``b`` that starts at zero, False for none, or the initial ``b``.
    init : callable
        Initializer of ``W``.

    Examples
    --------
    >>> import scg
    >>> g = scg.Graph()
    >>> x, y = g.data("x", shape=3), g.data("y", shape=3)
    >>> layer = scg.nn.linear(g, "out", 2)
    >>> both = layer(x) - layer(y)
    >>> both.shape, {name: value.shape for name, value in g.init(seed=0).items()}
    ((2,), {'out/W': (3, 2), 'out/b': (2,)})
    """
    start = bias_start(width, bias)

    def declare(inputs: int) -> list[Expr]:
        weights = g.parameter("W", shape=(inputs, width), init=init)
        return [weights, *(g.parameter("b", b) for b in start)]

    def apply(x: Expr, weights: Expr, *b: Expr) -> Expr:
        return x @ weights + b[0] if b else x @ weights

    return Layer(g, name, declare, apply)


@checked('scg.nn.mlp(g, "q", [64, 10])(x)', DeclarationError)
def mlp(
    g: Graph,
    name: str,
    widths: Sequence[int],
    *,
    activation: Callable[[Expr], Expr] = relu,
    init: Initializer = glorot_uniform,
) -> Callable[[Expr], Expr]:
    """Multilayer perceptron: linear layers with an activation between them, none after the last.

    The scopes of the layers are ``name/0``, ``name/1``, ...

    Examples
    --------
    >>> import scg
    >>> g = scg.Graph()
    >>> layer = scg.nn.mlp(g, "q", [64, 10])
    >>> layer(g.data("x", shape=3)), layer(g.data("y", shape=3))
    (node add(...) of shape (10,), node add(...) of shape (10,))
    """
    with g.scope(name):
        layers = [linear(g, str(i), width, init=init) for i, width in enumerate(widths)]

    def apply(x: Expr) -> Expr:
        for i, layer in enumerate(layers):
            x = layer(x if i == 0 else activation(x))
        return x

    return apply


@checked('scg.nn.layer_norm(g, "norm")(x)', DeclarationError)
def layer_norm(g: Graph, name: str, *, epsilon: float = 1e-5) -> Layer:
    """Layer that gives x mean 0 and variance 1 along its last axis, then scales and shifts it.

    It normalises each example by itself, where batch normalisation would mix the examples of a
    plate. The parameters are ``scale`` and ``shift`` (Ba, Kiros and Hinton 2016).
    """

    def declare(size: int) -> list[Expr]:
        return [g.parameter("scale", np.ones(size)), g.parameter("shift", np.zeros(size))]

    def apply(x: Expr, scale: Expr, shift: Expr) -> Expr:
        centred = x - mean(x, -1, keepdims=True)
        unit = centred / sqrt(mean(square(centred), -1, keepdims=True) + epsilon)
        return unit * scale + shift

    return Layer(g, name, declare, apply)


@checked('scg.nn.gru_cell(g, "gru", 20)(x, h)', DeclarationError)
def gru_cell(g: Graph, name: str, width: int, *, init: Initializer = glorot_uniform) -> Layer:
    """Layer (x, h) → h' of a gated recurrent unit: one step of a sequence.

    Parameters
    ----------
    g : Graph
        The graph that declares the parameters.
    name : str
        Scope of ``W`` (inputs, 3 width), ``U`` (width, 3 width) and ``b`` (3 width): the reset
        gate's columns, the update gate's, and the candidate's.
    width : int
        Size of the state h.
    init : callable
        Initializer of ``W`` and ``U``.

    Notes
    -----
    h' = u h + (1 − u) tanh(x W + r (h U) + b) with the reset gate r and the update gate u; Cho et
    al. (2014), with r after the product.
    """

    def declare(inputs: int) -> list[Expr]:
        return [
            g.parameter("W", shape=(inputs, 3 * width), init=init),
            g.parameter("U", shape=(width, 3 * width), init=init),
            g.parameter("b", shape=(3 * width,)),
        ]

    def apply(x: Expr, h: Expr, w: Expr, u: Expr, b: Expr) -> Expr:
        if h.shape != (width,):
            raise DeclarationError(
                f"layer {name!r}: expected a state of shape ({width},), got {describe(h)}"
            )
        inner, outer = x @ w + b, h @ u
        reset = sigmoid(inner[:width] + outer[:width])
        update = sigmoid(inner[width : 2 * width] + outer[width : 2 * width])
        candidate = tanh(inner[2 * width :] + reset * outer[2 * width :])
        return update * h + (1.0 - update) * candidate

    return Layer(g, name, declare, apply, inputs=2)
