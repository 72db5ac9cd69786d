"""Layers: functions of nodes with their own parameters.

``layer = scg.nn.linear(g, "out", 10)`` makes a layer, and ``layer(x)`` applies it. The first call
declares its parameters in its scope, with shapes that fit the input; all calls share them. Inputs
have the shape of one example: a batch is a plate.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from scg.common.arguments import checked
from scg.errors import DeclarationError
from scg.face import Graph
from scg.graph.init import glorot_uniform
from scg.graph.parameters import Initializer
from scg.ir.expr import Expr, describe
from scg.ops import convolution as ops
from scg.ops.convolution import Pair, pair
from scg.ops.elementwise import relu, sigmoid, sqrt, square, tanh
from scg.ops.reductions import mean


class Layer:
    """A function of nodes whose calls share parameters.

    Make layers with :func:`linear` and its neighbours; use this class to write another kind.

    Parameters
    ----------
    g : Graph
        The graph that declares the parameters.
    name : str
        Their scope, below the scope in which the layer is made.
    declare : callable
        Function from the size of the first input along `axis` to the parameters.
    apply : callable
        Function from the inputs and the parameters to the output.
    least, expected : int and str
        Least number of axes of the first input, and its description in messages.
    axis : int
        Axis of the first input whose size determines the shapes of the parameters.
    """

    def __init__(
        self,
        g: Graph,
        name: str,
        declare: Callable[[int], Sequence[Any]],
        apply: Callable[..., Expr],
        *,
        least: int = 1,
        expected: str = "a vector or more axes, inputs last",
        axis: int = -1,
    ):
        with g.scope(name):
            self._g, self._scope, self.name = g, g.path, "/".join(g.path)
        self._declare, self._apply = declare, apply
        self._least, self._expected, self._axis = least, expected, axis
        self._size = 0
        self._parameters: Sequence[Any] | None = None

    def __call__(self, x: Any, *more: Any) -> Expr:
        """Apply the layer to nodes or arrays."""
        x, *others = [self._g.as_node(value, self.name) for value in (x, *more)]
        if x.ndim < self._least:
            raise DeclarationError(
                f"layer {self.name!r}: expected {self._expected} as input, got {describe(x)}"
            )
        size = x.shape[self._axis]
        if self._parameters is None:
            with self._g.at(self._scope):
                self._parameters, self._size = tuple(self._declare(size)), size
        elif size != self._size:
            raise DeclarationError(
                f"layer {self.name!r}: its parameters are for inputs of size {self._size}, as in "
                f"its first call, got {describe(x)}"
            )
        result = self._apply(x, *others, *self._parameters)
        self._g.layers.setdefault(self.name, []).append(result)
        return result

    def __repr__(self) -> str:
        return f"Layer({self.name!r})"


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
    start = _start(width, bias)

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


@checked('scg.nn.conv2d(g, "conv", 8, size=3)(image)', DeclarationError)
def conv2d(
    g: Graph,
    name: str,
    filters: int,
    size: int | Pair,
    *,
    stride: int | Pair = 1,
    padding: int | Pair = 0,
    dilation: int | Pair = 1,
    bias: Any = True,
    init: Initializer = glorot_uniform,
) -> Layer:
    """Layer of cross-correlations of an image (channels, H, W) with filters.

    The parameters are ``W``, shape (filters, channels, height, width), and ``b``, shape (filters,),
    see :func:`linear`. See :func:`scg.conv2d` for `stride`, `padding` and `dilation`.
    """

    def apply(x: Expr, weights: Expr) -> Expr:
        return ops.conv2d(x, weights, stride=stride, padding=padding, dilation=dilation)

    return _convolution(g, name, apply, filters, pair(size, "nn.conv2d", 1), False, bias, init)


@checked('scg.nn.conv_transpose(g, "up", 8, size=4, stride=2)(image)', DeclarationError)
def conv_transpose(
    g: Graph,
    name: str,
    filters: int,
    size: int | Pair,
    *,
    stride: int | Pair = 1,
    padding: int | Pair = 0,
    output_padding: int | Pair = 0,
    dilation: int | Pair = 1,
    bias: Any = True,
    init: Initializer = glorot_uniform,
) -> Layer:
    """Layer that enlarges an image (channels, H, W), for decoders.

    The parameters are ``W``, shape (channels, filters, height, width), and ``b``, shape (filters,),
    see :func:`linear`. See :func:`scg.conv_transpose` for the other arguments.
    """
    options = {
        "stride": stride,
        "padding": padding,
        "output_padding": output_padding,
        "dilation": dilation,
    }

    def apply(x: Expr, weights: Expr) -> Expr:
        return ops.conv_transpose(x, weights, **options)

    size = pair(size, "nn.conv_transpose", 1)
    return _convolution(g, name, apply, filters, size, True, bias, init)


def _convolution(
    g: Graph,
    name: str,
    convolve: Callable[[Expr, Expr], Expr],
    filters: int,
    size: Pair,
    transposed: bool,
    bias: Any,
    init: Initializer,
) -> Layer:
    """Layer of a convolution; the weights of a transposed one have the channels first."""
    start = _start(filters, bias)

    def declare(channels: int) -> list[Expr]:
        pair = (channels, filters) if transposed else (filters, channels)

        def filter_init(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
            matrix = init(rng, (channels * math.prod(size), filters))
            return matrix.T.reshape(filters, channels, *size).swapaxes(0, int(transposed))

        weights = g.parameter("W", shape=(*pair, *size), init=filter_init)
        return [weights, *(g.parameter("b", b) for b in start)]

    def apply(x: Expr, weights: Expr, *b: Expr) -> Expr:
        out = convolve(x, weights)
        return out + b[0][:, None, None] if b else out

    expected = "an image (channels, H, W)"
    return Layer(g, name, declare, apply, least=3, expected=expected, axis=0)


@checked('scg.nn.layer_norm(g, "norm")(x)', DeclarationError)
def layer_norm(g: Graph, name: str, *, epsilon: float = 1e-5) -> Layer:
    """Layer that gives x mean 0 and variance 1 along its last axis, then scales and shifts it.

    It normalises each example by itself, where batch normalisation would mix the examples of a
    plate. The parameters are ``scale`` and ``shift`` (Ba, Kiros and Hinton 2016, equation 4).
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

    return Layer(g, name, declare, apply)


def _start(width: int, bias: Any) -> list[np.ndarray]:
    """Initial values of ``b``: one array, or none."""
    if bias is False:
        return []
    start = np.zeros(width) if bias is True else np.asarray(bias)
    if start.shape not in ((), (width,)):
        raise DeclarationError(f"bias: expected shape ({width},), got {start.shape}")
    return [np.broadcast_to(start, (width,))]
