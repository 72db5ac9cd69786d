"""Convolution and pooling: a window view, its adjoint, and compositions of the two."""

from __future__ import annotations

from typing import Any

import numpy as np

from scg.errors import DeclarationError
from scg.ir.expr import Expr
from scg.ir.op import Op
from scg.ops import attributes
from scg.ops.arrange import pad
from scg.ops.linalg import contract
from scg.ops.reductions import max, mean
from scg.ops.rows import ADD

Pair = tuple[int, int]


def _windows_numpy(x: Any, size: Pair, stride: Pair) -> Any:
    view = np.lib.stride_tricks.sliding_window_view(x, size, axis=(-2, -1))
    return view[..., :: stride[0], :: stride[1], :, :]


def _windowed(x: tuple[int, ...], size: Pair, stride: Pair) -> tuple[int, ...]:
    if len(x) < 2 or x[-2] < size[0] or x[-1] < size[1]:
        raise ValueError(f"a window of {size} does not fit an image of shape {x}")
    counts = ((n - k) // s + 1 for n, k, s in zip(x[-2:], size, stride, strict=True))
    return (*x[:-2], *counts, *size)


def _fold_numpy(g: Any, shape: Pair, stride: Pair) -> Any:
    rows, columns, height, width = g.shape[-4:]
    out = np.zeros((*g.shape[:-4], *shape), g.dtype)
    for i in range(height):
        for j in range(width):
            down = slice(i, i + rows * stride[0], stride[0])
            right = slice(j, j + columns * stride[1], stride[1])
            out[..., down, right] += g[..., i, j]
    return out


def _image(shape: Any, g: Expr, stride: Any) -> str | None:
    if expected := attributes.pair(shape):
        return expected
    counts = [(n - k) // s + 1 for n, k, s in zip(shape, g.shape[-2:], stride, strict=True)]
    fits = g.ndim >= 4 and list(g.shape[-4:-2]) == counts
    return None if fits else f"an image whose windows have the shape {g.shape}"


#: All windows of the last two event axes: (..., H, W) to (..., rows, columns, height, width).
_windows = Op(
    "windows",
    _windows_numpy,
    _windowed,
    (lambda g, y, x, size, stride: _fold(g, shape=x.shape[-2:], stride=stride),),
    kind="same",
    linear=(0,),
    attributes={"size": attributes.pair, "stride": attributes.pair},
)
#: The adjoint: windows are added up where they overlap.
_fold = Op(
    "fold",
    _fold_numpy,
    lambda g, shape, stride: (*g[:-4], *shape),
    (lambda g, y, x, shape, stride: _windows(g, size=x.shape[-2:], stride=stride),),
    kind="same",
    linear=(0,),
    attributes={"stride": attributes.pair, "shape": _image},
    row=ADD,
)


# --- what users call --------------------------------------------------------------------------
def conv2d(x: Any, weight: Any, *, stride: int | Pair = 1, padding: int | Pair = 0) -> Any:
    """Two-dimensional cross-correlation, channels first.

    Parameters
    ----------
    x : node or array_like
        Image, shape (channels, H, W).
    weight : node or array_like
        Filters, shape (filters, channels, height, width).
    stride, padding : int or pair of int
        Steps between windows, and zeros around the image.

    Returns
    -------
    node or ndarray
        Shape (filters, rows, columns).
    """
    if np.ndim(x) != 3 or np.ndim(weight) != 4:
        raise DeclarationError(
            "conv2d: expected an image (channels, H, W) and filters (filters, channels, height, "
            f"width), got shapes {np.shape(x)} and {np.shape(weight)}; a batch is a plate"
        )
    height, width = pair(padding, "conv2d", 0)
    padded = pad(x, ((0, 0), (height, height), (width, width)))
    windows = _windows(padded, size=np.shape(weight)[-2:], stride=pair(stride, "conv2d", 1))
    return contract(
        weight, windows, left=(0, 1, 4, 5), right=(1, 2, 3, 4, 5), out=(0, 2, 3), over=()
    )


def max_pool(x: Any, size: int | Pair, stride: int | Pair | None = None) -> Any:
    """Maximum over windows of the last two event axes; the stride is the size by default.

    Ties share the gradient equally. Convolve with ``stride=2`` where the downsampling is learned.
    """
    return max(_pooled(x, size, stride, "max_pool"), axis=(-2, -1))


def avg_pool(x: Any, size: int | Pair, stride: int | Pair | None = None) -> Any:
    """Mean over windows of the last two event axes; the stride is the size by default."""
    return mean(_pooled(x, size, stride, "avg_pool"), axis=(-2, -1))


def _pooled(x: Any, size: int | Pair, stride: int | Pair | None, caller: str) -> Any:
    size = pair(size, caller, 1)
    return _windows(x, size=size, stride=size if stride is None else pair(stride, caller, 1))


def pair(value: int | Pair, caller: str, least: int) -> Pair:
    """Two integers: those given, or one of them twice."""
    both = (value, value) if isinstance(value, (int, np.integer)) else tuple(value)
    if len(both) != 2 or not all(isinstance(n, (int, np.integer)) and n >= least for n in both):
        raise DeclarationError(
            f"{caller}: expected an integer or a pair of integers, at least {least}, got {value!r}"
        )
    return int(both[0]), int(both[1])
