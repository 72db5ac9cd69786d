"""Bijections of vectors with learned parameters, for :class:`Transformed`."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from scg.distributions.given import numeric
from scg.errors import DeclarationError
from scg.ops.elementwise import (
    exp,
    greater,
    log,
    logical_and,
    maximum,
    minimum,
    softplus,
    sqrt,
    tanh,
    where,
)
from scg.ops.indexing import getitem
from scg.ops.linalg import matmul
from scg.ops.reductions import softmax, sum
from scg.ops.shape import concatenate, cumsum, reshape

#: The least width and height of a bin, as a share of the interval, and the least slope of a knot.
LEAST = 1e-3


class Bijection:
    """Map of vectors onto vectors, with an inverse and the logarithm of its Jacobian.

    Attributes
    ----------
    parameters : tuple
        Arrays or nodes.
    options : tuple
        What else its constructor takes, so that :meth:`rebuild` makes it again.
    """

    parameters: tuple[Any, ...]
    options: tuple[Any, ...] = ()

    @classmethod
    def rebuild(cls, parameters: tuple[Any, ...], options: tuple[Any, ...]) -> Bijection:
        """Bijection with other parameters."""
        raise NotImplementedError

    def check(self, size: int) -> None:
        """Raise unless the shapes fit vectors of a size."""
        raise NotImplementedError

    def forward(self, x: Any) -> Any:
        """The image of x."""
        raise NotImplementedError

    def inverse(self, y: Any) -> tuple[Any, Any]:
        """What is mapped to y, and log |det| of the derivative of `forward` there."""
        raise NotImplementedError


class _Coupling(Bijection):
    """The first half of a vector decides, by a network, how the second is moved; `flip` swaps them.

    The network has tanh layers; its last one is linear.
    """

    def __init__(self, layers: Sequence[tuple[Any, Any]], *options: Any):
        name = type(self).__name__
        self.layers = [
            (numeric(f"a weight of {name}", weight), numeric(f"a bias of {name}", bias))
            for weight, bias in layers
        ]
        self.parameters = tuple(part for layer in self.layers for part in layer)
        self.options = options

    @classmethod
    def rebuild(cls, parameters: tuple[Any, ...], options: tuple[Any, ...]) -> Bijection:
        """Bijection with other parameters."""
        return cls(tuple(zip(parameters[::2], parameters[1::2], strict=True)), *options)

    #: Numbers that the network gives for each element that is moved.
    numbers: int

    @property
    def flip(self) -> bool:
        """Whether the second half decides."""
        return bool(self.options[-1])

    def check(self, size: int) -> None:
        """Raise unless the shapes fit vectors of a size."""
        sizes = [size // 2, *(np.shape(bias)[0] for _, bias in self.layers)]
        if self.flip:
            sizes[0] = size - size // 2
        wanted = (size - sizes[0]) * self.numbers
        shapes = [np.shape(weight) for weight, _ in self.layers]
        if shapes != list(itertools.pairwise(sizes)) or sizes[-1] != wanted:
            raise DeclarationError(
                f"{type(self).__name__}: the network must lead from {sizes[0]} numbers to {wanted} "
                f"for vectors of {size}, but its weights have the shapes {shapes}"
            )

    def _halves(self, x: Any) -> tuple[Any, Any]:
        n = np.shape(x)[0]
        first, second = getitem(x, slice(0, n // 2)), getitem(x, slice(n // 2, n))
        return (second, first) if self.flip else (first, second)

    def _joined(self, kept: Any, moved: Any) -> Any:
        parts = (moved, kept) if self.flip else (kept, moved)
        return concatenate(*parts, axis=-1)

    def _network(self, kept: Any) -> Any:
        value = kept
        for i, (weight, bias) in enumerate(self.layers):
            value = matmul(tanh(value) if i else value, weight) + bias
        return reshape(value, shape=(value.shape[-1] // self.numbers, self.numbers))


class AffineCoupling(_Coupling):
    """Affine coupling layer: the second half of a vector is scaled and shifted, given the first.

    Use several with alternating `flip` as bijections of :class:`Transformed`. A
    :class:`SplineCoupling` bends each element; this one only scales and shifts.

    Parameters
    ----------
    layers : sequence of (weight, bias)
        Network from the kept half to two numbers, s and t, for each other element; weights have the
        shape (inputs, outputs). Hidden layers are tanh.
    flip : bool
        Whether the first half is moved, given the second.

    Notes
    -----
    y = x exp(2 tanh(s / 2)) + t (Dinh et al. 2017, with bounded scales).

    Examples
    --------
    >>> import numpy as np, scg
    >>> layer = scg.AffineCoupling([(np.zeros((1, 2)), np.array([0.0, 3.0]))])
    >>> flow = scg.Transformed(scg.Normal(np.zeros(2)), layer)
    >>> round(float(flow.log_prob([0.0, 3.0])), 4)
    -1.8379
    """

    numbers = 2

    def __init__(self, layers: Sequence[tuple[Any, Any]], flip: bool = False):
        super().__init__(layers, flip)

    def _scale(self, kept: Any) -> tuple[Any, Any]:
        given = self._network(kept)
        return 2.0 * tanh(0.5 * given[..., 0]), given[..., 1]

    def forward(self, x: Any) -> Any:
        """x exp(s) + t of the moved half."""
        kept, moved = self._halves(x)
        s, t = self._scale(kept)
        return self._joined(kept, moved * exp(s) + t)

    def inverse(self, y: Any) -> tuple[Any, Any]:
        """(y − t) exp(−s), and Σ s."""
        kept, moved = self._halves(y)
        s, t = self._scale(kept)
        return self._joined(kept, (moved - t) * exp(-s)), sum(s)


class SplineCoupling(_Coupling):
    """Neural spline coupling layer: monotone rational splines of one half, given the other.

    Use it in place of :class:`AffineCoupling` for densities with several modes or sharp edges.

    Parameters
    ----------
    layers : sequence of (weight, bias)
        Network from the kept half to 3 bins − 1 numbers for each other element: widths, heights
        and inner slopes.
    bins : int
        Number of bins.
    bound : float
        B: the interval [−B, B] is bent, and the rest kept.
    flip : bool
        Whether the first half is moved, given the second.

    Notes
    -----
    Rational-quadratic splines (Durkan et al. 2019).

    Examples
    --------
    >>> import numpy as np, scg
    >>> layer = scg.SplineCoupling([(np.zeros((1, 5)), np.zeros(5))], bins=2)
    >>> layer.forward(np.array([0.3, 5.0]))
    array([0.3, 5. ])
    """

    def __init__(
        self,
        layers: Sequence[tuple[Any, Any]],
        bins: int = 8,
        bound: float = 3.0,
        flip: bool = False,
    ):
        super().__init__(layers, bins, bound, flip)
        self.bins, self.bound, self.numbers = bins, bound, 3 * bins - 1

    def _bin(self, kept: Any, at: Any, heights: bool) -> tuple[Any, ...]:
        """Left end, width, bottom, height and end slopes of the bin of each element of `at`."""
        given, k = self._network(kept), self.bins
        parts = []
        for i in (0, 1):
            share = softmax(getitem(given, (slice(None), slice(i * k, (i + 1) * k))))
            size = 2.0 * self.bound * (LEAST + (1.0 - LEAST * k) * share)
            parts.append((cumsum(size) - size - self.bound, size))
        # a slope of one where the numbers are zero, and at the ends
        slopes = LEAST + softplus(given[..., 2 * k :] + np.log(np.expm1(1.0 - LEAST)))
        one = np.ones((np.shape(at)[0], 1))
        left = concatenate(one + 0.0 * slopes[..., :1], slopes, axis=-1) if k > 1 else one
        right = concatenate(slopes, one + 0.0 * slopes[..., :1], axis=-1) if k > 1 else one
        start = parts[1 if heights else 0][0]
        inner = where(greater(at[..., None], start[..., 1:]), 1.0, 0.0)
        reached = concatenate(0.0 * start[..., :1] + 1.0, inner, axis=-1)
        after = concatenate(inner, 0.0 * start[..., :1], axis=-1)
        chosen = reached - after
        return tuple(sum(chosen * v, -1) for v in (*parts[0], *parts[1], left, right))

    def _inside(self, at: Any) -> tuple[Any, Any]:
        inside = logical_and(greater(at, -self.bound), greater(self.bound, at))
        return inside, where(inside, at, 0.0)

    def forward(self, x: Any) -> Any:
        """The spline of the moved half."""
        kept, moved = self._halves(x)
        inside, at = self._inside(moved)
        left, width, bottom, height, first, last = self._bin(kept, at, heights=False)
        slope, part = height / width, minimum(maximum((at - left) / width, 0.0), 1.0)
        mixed = part * (1.0 - part)
        bent = height * (slope * part * part + first * mixed)
        value = bottom + bent / (slope + (last + first - 2.0 * slope) * mixed)
        return self._joined(kept, where(inside, value, moved))

    def inverse(self, y: Any) -> tuple[Any, Any]:
        """The root of a quadratic equation, and Σ log of the slopes there."""
        kept, moved = self._halves(y)
        inside, at = self._inside(moved)
        left, width, bottom, height, first, last = self._bin(kept, at, heights=True)
        slope, above = height / width, at - bottom
        curve = last + first - 2.0 * slope
        a = height * (slope - first) + above * curve
        b = height * first - above * curve
        c = -slope * above
        part = 2.0 * c / (-b - sqrt(maximum(b * b - 4.0 * a * c, 1e-30)))
        mixed = part * (1.0 - part)
        rise = last * part * part + 2.0 * slope * mixed + first * (1.0 - part) * (1.0 - part)
        logs = 2.0 * log(slope) + log(rise) - 2.0 * log(slope + curve * mixed)
        x = where(inside, left + part * width, moved)
        return self._joined(kept, x), sum(where(inside, logs, 0.0))


BIJECTIONS = (AffineCoupling, SplineCoupling)
