"""The normal quantile of an open uniform: one text that NumPy and compiled kernels both run.

Two machines give the same bits when they do the same operations: only sums, products, quotients,
square roots, comparisons and integer operations on the bits of a float occur here, each of which is
rounded once by IEEE 754, and no machine may fuse or reorder them.

The centre, |u - 1/2| <= 0.425, is u - 1/2 times a rational function of its square; the tails are
one of sqrt(-log p). Wichura (1988), "Algorithm AS 241", Applied Statistics 37, splits so; the
coefficients are our own minimax fits of the relative error (Remez exchange in 60 digits), on the
tails that the grids of :mod:`scg.engine.noise` reach, so that two regions are enough.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray


class Machine(Protocol):
    """What computes beside the operators of arithmetic and comparison."""

    def sqrt(self, x: Any, /) -> Any:
        """Square root."""
        ...

    def split(self, x: Any, /) -> tuple[Any, Any]:
        """e and m with x = m 2^e, m between sqrt(1/2) and sqrt(2), for positive normal x."""
        ...


class Fit(NamedTuple):
    """Coefficients, constant first: quotients of the centre and of the tail, series of a log."""

    centre: tuple[Sequence[float], Sequence[float]]
    tail: tuple[Sequence[float], Sequence[float]]
    atanh: Sequence[float]


#: Where the tails begin, as a distance from 1/2.
SPLIT = 0.425

#: Bits of the fraction and the bits of sqrt(1/2), by type code.
FORMATS = {"f4": (23, 0x3F3504F3), "f8": (52, 0x3FE6A09E667F3BCD)}

#: Largest relative errors of the quotients: 5.5e-8 and 4.3e-8; 9.0e-17 and 8.5e-18.
FITS = {
    "f4": Fit(
        centre=(
            (3.387132727, 50.28001214, 158.0272685, 58.22248375),
            (1.0, 17.84962302, 78.24827731, 66.37270574),
        ),
        tail=(
            (1.423437212, 2.784408471, 1.351352559, 0.1817872676),
            (1.0, 0.756383435, 0.1283290161),
        ),
        atanh=[1 / (2 * k + 1) for k in range(5)],
    ),
    "f8": Fit(
        centre=(
            (
                3.38713287279636663,
                132.982849565507407,
                1966.40271067866382,
                13671.6104698264634,
                45623.9255860422446,
                66658.0944609408531,
                33027.9249163761093,
                2470.1282903666572,
            ),
            (
                1.0,
                42.2664419811870727,
                685.514345166548715,
                5372.46482300513934,
                21087.6270357161593,
                38983.9147715649134,
                28414.6318020093644,
                5153.05507985741525,
            ),
        ),
        tail=(
            (
                1.42343711074968361,
                4.61910160148628561,
                5.75872140995019075,
                3.68190972956355686,
                1.3309162449690859,
                0.277961441177140494,
                0.0322074516267993871,
                0.00181180023302064718,
                0.000034763062660240946,
            ),
            (
                1.0,
                2.04529788508401911,
                1.67828495999030032,
                0.710734194357959653,
                0.165896485680324686,
                0.0208605709521666406,
                0.00124195024086216107,
                0.0000245804936928385953,
            ),
        ),
        atanh=[1 / (2 * k + 1) for k in range(11)],
    ),
}


def _polynomial(coefficients: Sequence[float], x: Any) -> Any:
    """Horner's rule, in place where `x` is an array."""
    total = x * coefficients[-1]
    for c in coefficients[-2:0:-1]:
        total += c
        total *= x
    total += coefficients[0]
    return total


def centre(size: Any, fit: Fit) -> tuple[Any, Any]:
    """Numerator and denominator of the quantile of 1/2 + `size`, up to 0.425."""
    t = 0.180625 - size * size
    above = _polynomial(fit.centre[0], t)
    above *= size
    return above, _polynomial(fit.centre[1], t)


def tail(size: Any, fit: Fit, on: Machine) -> tuple[Any, Any]:
    """Numerator and denominator of the quantile of 1/2 + `size`, from 0.425."""
    e, m = on.split(0.5 - size)
    f = m - 1.0
    s = f / (f + 2.0)
    series = _polynomial(fit.atanh, s * s)
    series *= s + s
    e *= math.log(2)
    r = on.sqrt(-(e + series))
    r -= 1.6
    return _polynomial(fit.tail[0], r), _polynomial(fit.tail[1], r)


def to_normal(u: NDArray) -> None:
    """Overwrite open uniforms, float32 or float64, by their standard normal quantiles.

    That of 1 - u is the negative of that of u, as u - 1/2 is exact.
    """
    code = f"f{u.dtype.itemsize}"
    fit = FITS[code]
    u -= 0.5
    size = np.abs(u)
    above, below = centre(size, fit)
    far = size > SPLIT  # a machine without branches selects instead
    above[far], below[far] = tail(size[far], fit, _NumPy(code))
    above /= below
    np.copysign(above, u, out=u)


class _NumPy:
    """NumPy as the machine of a float type."""

    sqrt = staticmethod(np.sqrt)

    def __init__(self, code: str):
        self.code = code

    def split(self, x: NDArray) -> tuple[NDArray, NDArray]:
        """See :class:`Machine`."""
        fraction, half_root = FORMATS[self.code]
        bits = x.view(self.code.replace("f", "i"))
        e = (bits - half_root) >> fraction
        return e.astype(self.code), (bits - (e << fraction)).view(self.code)
