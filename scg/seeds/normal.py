"""The normal quantile of an open uniform: one text that NumPy and compiled kernels both run.

With q = u - 1/2 the centre is q times a function of q^2, the tails are a rational function of
sqrt(-log p), as in Wichura (1988), "Algorithm AS 241", Applied Statistics 37. In float32 the centre
is sqrt(2 pi) q plus a correction, q^3 times a rational function of t = u (1 - u) = 1/4 - q^2. The
relative error of the product t stays small where t is small, so that the centre reaches 99.7 % of
all u and kernels may leave out the tails of most vectors; errors of the correction count little.

The coefficients are our own minimax fits of the relative error (Remez exchange in 50 digits or
more), on the tails that the grids of :mod:`scg.seeds.noise` reach: two regions are enough.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from scg.special.machine import Machine, NumPy, log_parts, polynomial

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Fit(NamedTuple):
    """Coefficients, constant first, of numerators and denominators; terms of the logarithm.

    The centre reaches the distance `reach` from 1/2.
    """

    reach: float
    centre: tuple[Sequence[float], Sequence[float]]
    tail: tuple[Sequence[float], Sequence[float]]
    terms: int


# fmt: off
#: Largest relative errors of centre and tail: 5.1e-8 and 3.6e-8; 9.0e-17 and 8.5e-18.
FITS = {
    "f4": Fit(
        reach=0.4985,
        centre=(
            (1.659031765e-10, 4.383466005e-7, 1.739253921e-4, 0.01548470239, 0.3250788177,
             1.296357994, 0.1993470069),
            (8.045157759e-12, 2.860423623e-8, 1.504249618e-5, 0.001886345168, 0.06408790348,
             0.5693753624, 1.0),
        ),
        tail=((1.423820181, 2.318754092, 0.6152505805), (1.0, 0.4303781833, 2.554092266e-4)),
        terms=4,
    ),
    "f8": Fit(
        reach=0.425,
        centre=(
            (3.38713287279636663, 132.982849565507407, 1966.40271067866382, 13671.6104698264634,
             45623.9255860422446, 66658.0944609408531, 33027.9249163761093, 2470.1282903666572),
            (1.0, 42.2664419811870727, 685.514345166548715, 5372.46482300513934,
             21087.6270357161593, 38983.9147715649134, 28414.6318020093644, 5153.05507985741525),
        ),
        tail=(
            (1.42343711074968361, 4.61910160148628561, 5.75872140995019075, 3.68190972956355686,
             1.3309162449690859, 0.277961441177140494, 0.0322074516267993871,
             0.00181180023302064718, 0.000034763062660240946),
            (1.0, 2.04529788508401911, 1.67828495999030032, 0.710734194357959653,
             0.165896485680324686, 0.0208605709521666406, 0.00124195024086216107,
             0.0000245804936928385953),
        ),
        terms=11,
    ),
}
# fmt: on


def _single_centre(u: Any, q: Any, fit: Fit) -> Any:
    t = 1.0 - u
    t *= u
    correction = polynomial(fit.centre[0], t)
    correction *= q * q
    correction /= polynomial(fit.centre[1], t)
    correction += math.sqrt(2 * math.pi)
    correction *= q
    return correction


def _double_centre(u: Any, q: Any, fit: Fit) -> Any:
    t = 0.180625 - q * q
    z = polynomial(fit.centre[0], t)
    z *= q
    z /= polynomial(fit.centre[1], t)
    return z


def _tail(q: Any, fit: Fit, on: Machine) -> Any:
    e, series = log_parts(0.5 - abs(q), fit.terms, on)
    e *= math.log(2)
    r = on.sqrt(-(e + series))
    r -= 1.6
    return on.copysign(polynomial(fit.tail[0], r) / polynomial(fit.tail[1], r), q)


def quantile(u: Any, on: Machine) -> Any:
    """Standard normal quantiles of open uniforms.

    Those of u and 1 - u differ in sign alone, because 1 - u and u - 1/2 are exact.
    """
    fit, centre = FITS[on.code], {"f4": _single_centre, "f8": _double_centre}[on.code]
    q = u - 0.5
    far = abs(q) > fit.reach
    return on.replaced(centre(u, q, fit), far, lambda q: _tail(q, fit, on), q)


def to_normal(u: NDArray) -> None:
    """Overwrite open uniforms, float32 or float64, by their standard normal quantiles."""
    u[...] = quantile(u, NumPy(f"f{u.dtype.itemsize}"))
