"""Layers of convolutions, for images."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from scg.common.arguments import checked
from scg.errors import DeclarationError
from scg.face import Graph
from scg.graph.init import glorot_uniform
from scg.graph.parameters import Initializer
from scg.ir.expr import Expr
from scg.layers.layer import Layer, bias_start
from scg.ops import convolution as ops
from scg.ops.convolution import Pair, pair


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
    convolve = partial(ops.conv2d, stride=stride, padding=padding, dilation=dilation)
    return _convolution(g, name, convolve, filters, pair(size, "nn.conv2d", 1), False, bias, init)


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
    convolve = partial(
        ops.conv_transpose,
        stride=stride,
        padding=padding,
        output_padding=output_padding,
        dilation=dilation,
    )
    size = pair(size, "nn.conv_transpose", 1)
    return _convolution(g, name, convolve, filters, size, True, bias, init)


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
    start = bias_start(filters, bias)

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
