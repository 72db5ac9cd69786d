"""What one text needs that NumPy and compiled kernels both run.

Two machines give the same bits if they do the same operations. Such a text therefore uses only
sums, products, quotients, square roots, comparisons, choices and integer operations on the bits of
a float, which IEEE 754 rounds once each; no machine may fuse or reorder them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Bits of the fraction and the bits of sqrt(1/2), by type code.
FORMATS = {"f4": (23, 0x3F3504F3), "f8": (52, 0x3FE6A09E667F3BCD)}


class Machine(Protocol):
    """Operations of a machine besides arithmetic and comparison."""

    code: str

    def sqrt(self, x: Any, /) -> Any:
        """Square root."""
        ...

    def copysign(self, x: Any, y: Any, /) -> Any:
        """`x` with the sign of `y`."""
        ...

    def rint(self, x: Any, /) -> Any:
        """Nearest integer, the even one of two."""
        ...

    def where(self, condition: Any, x: Any, y: Any, /) -> Any:
        """`x` where the condition holds, `y` elsewhere; one of them may be a number."""
        ...

    def split(self, x: Any, /) -> tuple[Any, Any]:
        """Split positive normal x into e and m, x = m 2^e, m between sqrt(1/2) and sqrt(2)."""
        ...

    def replaced(self, z: Any, where: Any, function: Callable[..., Any], /, *xs: Any) -> Any:
        """Replace `z` by ``function(*xs)`` where a condition holds; `z` may be overwritten."""
        ...


class NumPy:
    """NumPy, for one float type."""

    sqrt, copysign = staticmethod(np.sqrt), staticmethod(np.copysign)
    rint, where = staticmethod(np.rint), staticmethod(np.where)

    def __init__(self, code: str):
        self.code = code

    def split(self, x: NDArray) -> tuple[NDArray, NDArray]:
        """See :class:`Machine`."""
        fraction, half_root = FORMATS[self.code]
        bits = x.view(self.code.replace("f", "i"))
        e = (bits - half_root) >> fraction
        return e.astype(self.code), (bits - (e << fraction)).view(self.code)

    def replaced(self, z: NDArray, where: NDArray, function: Any, *xs: NDArray) -> NDArray:
        """See :class:`Machine`."""
        if where.any():
            z[where] = function(*(x[where] for x in xs))
        return z


def polynomial(coefficients: Sequence[float], x: Any) -> Any:
    """Horner's rule, in place where `x` is an array; the constant is the first coefficient."""
    total = x * coefficients[-1]
    for c in coefficients[-2:0:-1]:
        total += c
        total *= x
    total += coefficients[0]
    return total


def log_parts(x: Any, terms: int, on: Machine) -> tuple[Any, Any]:
    """e and r with log x = e log 2 + r, for positive normal x; r is a series of atanh."""
    e, m = on.split(x)
    f = m - 1.0
    s = f / (f + 2.0)
    series = polynomial([1 / (2 * k + 1) for k in range(terms)], s * s)
    series *= s + s
    return e, series
