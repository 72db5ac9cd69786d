"""The quantile of the beta distribution in log-odds, with its implicit VJP."""

from __future__ import annotations

from typing import Any

from scg.ops.attributes import are_integers
from scg.ops.base import special
from scg.ops.elementwise import exp, sigmoid, softplus
from scg.ops.proportions import beta_log_density
from scg.ops.special import _of_order, digamma, polygamma
from scg.special import incomplete_beta


def _scores(a: Any, b: Any, s: Any) -> tuple[Any, Any]:
    """Derivatives in a and b of the logarithm of the density f of s."""
    total = digamma(a + b)
    return total - digamma(a) - softplus(-s), total - digamma(b) - softplus(s)


def _more(g: Any, out: Any, a: Any, b: Any, s: Any, order: tuple[int, int], in_b: int) -> Any:
    _of_order(order[0] + order[1], 1, 2)
    higher = (order[0] + 1 - in_b, order[1] + in_b)
    return g * (beta_implicit(a, b, s, order=higher) - out * _scores(a, b, s)[in_b])


def _along(g: Any, out: Any, a: Any, b: Any, s: Any, order: tuple[int, int]) -> Any:
    first, second = _scores(a, b, s)
    density = {
        (1, 0): lambda: first,
        (0, 1): lambda: second,
        (2, 0): lambda: first * first - polygamma(a, order=1) + polygamma(a + b, order=1),
        (1, 1): lambda: first * second + polygamma(a + b, order=1),
        (0, 2): lambda: second * second - polygamma(b, order=1) + polygamma(a + b, order=1),
    }[order]()
    return g * (density - out * (a * sigmoid(-s) - b * sigmoid(s)))


def _two_orders(value: Any, *args: Any, **attrs: Any) -> str | None:
    holds = are_integers(value) and len(value) == 2 and min(value) >= 0 and 0 < sum(value) < 3
    return None if holds else "two orders, whose sum is 1 or 2"


#: G_ij(a, b, s) = ∂_a^i ∂_b^j I_x(a, b) / f(s) with s = log x − log(1 − x) and its density f.
beta_implicit = special(
    "beta_implicit",
    lambda g, out, a, b, s, order: _more(g, out, a, b, s, order, 0),
    lambda g, out, a, b, s, order: _more(g, out, a, b, s, order, 1),
    _along,
    numpy=incomplete_beta.beta_implicit,
    attributes={"order": _two_orders},
    kernel="{code}(beta_implicit(f8({0}), f8({1}), f8({2}), {order[0]}, {order[1]}))",
)
#: s with I_x(a, b) = u (Figurnov et al. 2018): neither end of (0, 1) is rounded to.
logit_betaincinv = special(
    "logit_betaincinv",
    lambda g, s, a, b, u: -(g * beta_implicit(a, b, s, order=(1, 0))),
    lambda g, s, a, b, u: -(g * beta_implicit(a, b, s, order=(0, 1))),
    # f(s) is the density of the proportion times its derivative σ(s) σ(−s)
    lambda g, s, a, b, u: (
        g * exp(softplus(-s) + softplus(s) - beta_log_density(s, a, b, logit=True))
    ),
    numpy=incomplete_beta.logit_betaincinv,
)
