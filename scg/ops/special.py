"""Special functions; SciPy and our kernels are loaded when a value is first computed."""

from __future__ import annotations

from typing import Any

from scg.ops.elementwise import elementwise, exp, log, square


def _scipy(name: str) -> Any:
    def rule(*args: Any) -> Any:
        import scipy.special

        return getattr(scipy.special, name)(*args)

    return rule


def _gammainc_da(a: Any, x: Any, order: int) -> Any:
    from scg.engine.special import gammainc_da

    return gammainc_da(a, x, order)


def _polygamma(a: Any, order: int) -> Any:
    import scipy.special

    return scipy.special.polygamma(order, a)


gammaln = elementwise("gammaln", _scipy("gammaln"), lambda g, y, a: g * digamma(a))
digamma = elementwise("digamma", _scipy("digamma"), lambda g, y, a: g * polygamma(a, order=1))
polygamma = elementwise(
    "polygamma", _polygamma, lambda g, y, a, order: g * polygamma(a, order=order + 1)
)


def gamma_density(a: Any, x: Any) -> Any:
    """Density of the standard gamma distribution, x^(a-1) exp(-x) / Γ(a)."""
    return exp((a - 1.0) * log(x) - x - gammaln(a))


def _density_derivative(a: Any, x: Any, order: int) -> Any:
    """Return the derivative in `a` of the gamma density, of order 0, 1 or 2."""
    score = log(x) - digamma(a)
    factor = (1.0, score, square(score) - polygamma(a, order=1))[order]
    return gamma_density(a, x) * factor


#: ∂^k P(a, x) / ∂a^k of the regularised lower incomplete gamma function, k = order.
gammainc_da = elementwise(
    "gammainc_da",
    _gammainc_da,
    lambda g, y, a, x, order: g * gammainc_da(a, x, order=order + 1),
    lambda g, y, a, x, order: g * _density_derivative(a, x, order),
)
gammainc = elementwise(
    "gammainc",
    _scipy("gammainc"),
    lambda g, y, a, x: g * gammainc_da(a, x, order=1),
    lambda g, y, a, x: g * gamma_density(a, x),
)
#: The inverse CDF of the standard gamma law, with its implicit VJP (Figurnov et al. 2018, eq. 5).
gammaincinv = elementwise(
    "gammaincinv",
    _scipy("gammaincinv"),
    lambda g, y, a, u: -(g * gammainc_da(a, y, order=1)) / gamma_density(a, y),
    lambda g, y, a, u: g / gamma_density(a, y),
)
ndtri = elementwise(
    "ndtri",
    _scipy("ndtri"),
    lambda g, y, u: g * exp(0.5 * square(y)) * 2.5066282746310002,
)
