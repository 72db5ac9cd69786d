"""Convolution and pooling: a window view, its adjoint, and compositions of the two."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from scg.errors import DeclarationError
from scg.ir.expr import Expr
from scg.ir.op import Op
from scg.ops import attributes
from scg.ops.arrange import pad
from scg.ops.linalg import contract
from scg.ops.reductions import max
from scg.ops.rows import ADD, MATRIX, RowOp

Pair = tuple[int, int]
#: Most elements of a vector.
MOST = 8


def _windows_numpy(x: Any, size: Pair, stride: Pair, dilation: Pair) -> Any:
    view = np.lib.stride_tricks.sliding_window_view(x, _reach(size, dilation), axis=(-2, -1))
    view = view[..., :: stride[0], :: stride[1], :: dilation[0], :: dilation[1]]
    return np.moveaxis(view, (-2, -1), (-4, -3))


def _reach(size: Pair, dilation: Pair) -> Pair:
    """Rows and columns of the image between the first and the last element of a window."""
    return (size[0] - 1) * dilation[0] + 1, (size[1] - 1) * dilation[1] + 1


def _counts(shape: Pair, size: Pair, stride: Pair, dilation: Pair) -> Pair:
    """How many windows an image has below and beside each other."""
    down, right = (
        (n - k) // s + 1 for n, k, s in zip(shape, _reach(size, dilation), stride, strict=True)
    )
    return down, right


def _windowed(x: tuple[int, ...], size: Pair, stride: Pair, dilation: Pair) -> tuple[int, ...]:
    reach = _reach(size, dilation)
    if len(x) < 2 or x[-2] < reach[0] or x[-1] < reach[1]:
        raise ValueError(f"a window of {reach} does not fit an image of shape {x}")
    return (*x[:-2], *size, *_counts((x[-2], x[-1]), size, stride, dilation))


def _fold_numpy(g: Any, shape: Pair, stride: Pair, dilation: Pair) -> Any:
    height, width, rows, columns = g.shape[-4:]
    out = np.zeros((*g.shape[:-4], *shape), g.dtype)
    for i in range(height):
        for j in range(width):
            top, left = i * dilation[0], j * dilation[1]
            down = slice(top, top + rows * stride[0], stride[0])
            right = slice(left, left + columns * stride[1], stride[1])
            out[..., down, right] += g[..., i, j, :, :]
    return out


def _image(shape: Any, g: Expr, stride: Any, dilation: Any) -> str | None:
    if expected := attributes.pair(shape):
        return expected
    size: Any = g.shape[-4:-2]
    fits = g.ndim >= 4 and g.shape[-2:] == _counts(shape, size, stride, dilation)
    return None if fits else f"an image whose windows have the shape {g.shape}"


#: All windows of the last two event axes: (..., H, W) to (..., height, width, rows, columns), so
#: that a convolution is one product of matrices for each image.
_windows = Op(
    "windows",
    _windows_numpy,
    _windowed,
    (
        lambda g, y, x, size, stride, dilation: _fold(
            g, shape=x.shape[-2:], stride=stride, dilation=dilation
        ),
    ),
    kind="same",
    linear=(0,),
    attributes={"size": attributes.pair, "stride": attributes.pair, "dilation": attributes.pair},
)
#: The adjoint: windows are added up where they overlap.
_fold = Op(
    "fold",
    _fold_numpy,
    lambda g, shape, stride, dilation: (*g[:-4], *shape),
    (
        lambda g, y, x, shape, stride, dilation: _windows(
            g, size=x.shape[-4:-2], stride=stride, dilation=dilation
        ),
    ),
    kind="same",
    linear=(0,),
    attributes={"stride": attributes.pair, "dilation": attributes.pair, "shape": _image},
    row=ADD,
)


def _mean_numpy(x: Any, size: Pair, stride: Pair) -> Any:
    windows = _windows_numpy(x, size, stride, (1, 1))
    return sum(windows[..., i, j, :, :] for i, j in np.ndindex(size)) / math.prod(size)


def _spread_numpy(g: Any, shape: Pair, size: Pair, stride: Pair) -> Any:
    each = (g / math.prod(size))[..., None, None, :, :]
    windows = np.broadcast_to(each, (*g.shape[:-2], *size, *g.shape[-2:]))
    return _fold_numpy(windows, shape, stride, (1, 1))


def _fits(shape: Any, g: Expr, size: Any, stride: Any) -> str | None:
    if expected := attributes.pair(shape):
        return expected
    fits = g.ndim >= 2 and g.shape[-2:] == _counts(shape, size, stride, (1, 1))
    return None if fits else f"an image with windows of {size} for a result of shape {g.shape}"


def _constants(e: Expr, *lengths: int) -> tuple[int, ...]:
    """Sizes and steps of windows, and how many elements vectors may have for rows of some lengths.

    These are powers of two, so that kernels of most images are equal.
    """
    fits = (1 << min(n or 1, MOST).bit_length() - 1 for n in lengths)
    return (*e.attrs["size"], *e.attrs["stride"], *fits)


def _of_mean(e: Expr) -> tuple[int, ...]:
    columns, across, width = e.shape[-1], e.attrs["stride"][1], e.attrs["size"][1]
    return _constants(e, (columns - 1) * across + width, columns)


def _of_spread(e: Expr) -> tuple[int, ...]:
    return _constants(e, e.args[0].shape[-1], e.shape[-1] // e.attrs["stride"][1])


#: The mean of each window of the last two event axes.
window_mean = Op(
    "window_mean",
    _mean_numpy,
    lambda x, size, stride: (*x[:-2], *_windowed(x, size, stride, (1, 1))[-2:]),
    (lambda g, y, x, size, stride: window_spread(g, shape=x.shape[-2:], size=size, stride=stride),),
    linear=(0,),
    attributes={"size": attributes.pair, "stride": attributes.pair},
    row=RowOp("window_mean", lambda e: (MATRIX, MATRIX), lambda e: e.shape[-2:], _of_mean),
)
#: The adjoint: each element is shared by the elements of its window.
window_spread = Op(
    "window_spread",
    _spread_numpy,
    lambda g, shape, size, stride: (*g[:-2], *shape),
    (lambda g, y, x, shape, size, stride: window_mean(g, size=size, stride=stride),),
    linear=(0,),
    attributes={"size": attributes.pair, "stride": attributes.pair, "shape": _fits},
    row=RowOp(
        "window_spread",
        lambda e: (MATRIX, MATRIX),
        lambda e: (*e.shape[-2:], *e.args[0].shape[-2:]),
        _of_spread,
    ),
)


# --- what users call --------------------------------------------------------------------------
def conv2d(
    x: Any,
    weight: Any,
    *,
    stride: int | Pair = 1,
    padding: int | Pair = 0,
    dilation: int | Pair = 1,
) -> Any:
    """Two-dimensional cross-correlation, channels first.

    Parameters
    ----------
    x : node or array_like
        Image, shape (channels, H, W).
    weight : node or array_like
        Filters, shape (filters, channels, height, width).
    stride, padding, dilation : int or pair of int
        Steps between windows, zeros around the image, and steps between elements of a window.

    Returns
    -------
    node or ndarray
        Shape (filters, rows, columns).

    See Also
    --------
    conv_transpose : The adjoint, for decoders.
    """
    _check("conv2d", x, weight, "(filters, channels, height, width)", channel=1)
    height, width = pair(padding, "conv2d", 0)
    windows = _windows(
        pad(x, ((0, 0), (height, height), (width, width))),
        size=tuple(np.shape(weight)[-2:]),
        stride=pair(stride, "conv2d", 1),
        dilation=pair(dilation, "conv2d", 1),
    )
    return contract(
        weight, windows, left=(0, 1, 2, 3), right=(1, 2, 3, 4, 5), out=(0, 4, 5), over=()
    )


def conv_transpose(
    x: Any,
    weight: Any,
    *,
    stride: int | Pair = 1,
    padding: int | Pair = 0,
    output_padding: int | Pair = 0,
    dilation: int | Pair = 1,
) -> Any:
    """Adjoint of :func:`conv2d` with the same weight, stride, padding and dilation.

    It is not the inverse. Decoders enlarge images with it ("deconvolution", "fractional stride").

    Parameters
    ----------
    x : node or array_like
        Image, shape (channels, rows, columns).
    weight : node or array_like
        Filters, shape (channels, filters, height, width).
    stride, padding, dilation : int or pair of int
        As in :func:`conv2d`: padding is cut off the result.
    output_padding : int or pair of int
        Rows and columns that the result has more, below and right. Images of several sizes lead to
        the same size of `x` where the stride is above 1; this chooses among them.

    Returns
    -------
    node or ndarray
        Shape (filters, H, W) with H = stride · (rows − 1) + dilation · (height − 1) + 1
        − 2 · padding + output_padding, likewise W.
    """
    _check("conv_transpose", x, weight, "(channels, filters, height, width)", channel=0)
    steps, apart = pair(stride, "conv_transpose", 1), pair(dilation, "conv_transpose", 1)
    cut, more = pair(padding, "conv_transpose", 0), pair(output_padding, "conv_transpose", 0)
    counts, reach = np.shape(x)[-2:], _reach(tuple(np.shape(weight)[-2:]), apart)
    if more[0] >= steps[0] or more[1] >= steps[1]:
        raise DeclarationError(
            f"conv_transpose: output_padding must be smaller than the stride {steps}, got {more}"
        )
    full = [s * (n - 1) + k + m for n, s, k, m in zip(counts, steps, reach, more, strict=True)]
    kept = [n - 2 * c for n, c in zip(full, cut, strict=True)]
    if min(kept) < 1:
        raise DeclarationError(f"conv_transpose: padding {cut} leaves nothing of {tuple(full)}")
    windows = contract(weight, x, left=(0, 1, 2, 3), right=(0, 4, 5), out=(1, 2, 3, 4, 5), over=())
    image = _fold(windows, shape=tuple(full), stride=steps, dilation=apart)
    return image[..., cut[0] : cut[0] + kept[0], cut[1] : cut[1] + kept[1]]


def _check(caller: str, x: Any, weight: Any, filters: str, channel: int) -> None:
    if np.ndim(x) != 3 or np.ndim(weight) != 4:
        raise DeclarationError(
            f"{caller}: expected an image (channels, H, W) and filters {filters}, "
            f"got shapes {np.shape(x)} and {np.shape(weight)}; a batch is a plate"
        )
    if np.shape(x)[0] != np.shape(weight)[channel]:
        raise DeclarationError(
            f"{caller}: the image has {np.shape(x)[0]} channels, the filters {filters} have "
            f"{np.shape(weight)[channel]}"
        )


def max_pool(x: Any, size: int | Pair, stride: int | Pair | None = None) -> Any:
    """Maximum over windows of the last two event axes; the stride is the size by default.

    Ties share the gradient equally. Convolve with ``stride=2`` where the downsampling is learned.
    """
    return max(_windows(x, **_window(size, stride, "max_pool"), dilation=(1, 1)), axis=(-4, -3))


def avg_pool(x: Any, size: int | Pair, stride: int | Pair | None = None) -> Any:
    """Mean over windows of the last two event axes; the stride is the size by default."""
    return window_mean(x, **_window(size, stride, "avg_pool"))


def _window(size: int | Pair, stride: int | Pair | None, caller: str) -> dict[str, Pair]:
    size = pair(size, caller, 1)
    return {"size": size, "stride": size if stride is None else pair(stride, caller, 1)}


def pair(value: Any, caller: str, least: int) -> Pair:
    """Two integers: those given, or one of them twice."""
    both = (value, value) if np.ndim(value) == 0 else tuple(value)
    if len(both) != 2 or not all(isinstance(n, (int, np.integer)) and n >= least for n in both):
        raise DeclarationError(
            f"{caller}: expected an integer or a pair of integers, at least {least}, got {value!r}"
        )
    return int(both[0]), int(both[1])
