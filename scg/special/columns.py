"""What the functions share: quadrature, blocks of elements as columns, and checks of orders."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


@functools.cache
def unit_rule(count: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Points and weights of Gauss-Legendre quadrature on the unit interval."""
    points, weights = np.polynomial.legendre.leggauss(count)
    return 0.5 * (points + 1.0), 0.5 * weights


def doubles(*values: ArrayLike) -> list[NDArray[np.float64]]:
    """Arrays of float64, broadcast against each other."""
    return list(np.broadcast_arrays(*(np.asarray(x, np.float64) for x in values)))


def by_blocks(
    rule: Callable[..., NDArray], valid: NDArray, *arrays: NDArray, block: int
) -> NDArray[np.float64]:
    """Apply a rule to the valid elements, as columns; NaN elsewhere.

    A rule gives each element a row of nodes; a block of rows stays in the cache.
    """
    out = np.full(valid.shape, np.nan)
    inside = np.flatnonzero(valid)
    columns = [x.ravel()[inside, None] for x in arrays]
    for i in range(0, inside.size, block):
        part = slice(i, i + block)
        out.flat[inside[part]] = rule(*(x[part] for x in columns))
    return out


def check_order(order: object, orders: range, what: str) -> None:
    """Raise a ValueError unless a derivative of this order is known."""
    if order not in orders:
        *most, last = map(str, orders)
        raise ValueError(
            f"{what} has derivatives of order {', '.join(most)} and {last}, not {order!r}"
        )
