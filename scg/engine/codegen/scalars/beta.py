"""The beta distribution."""

from __future__ import annotations

import sys
from math import exp, expm1, inf, log, log1p, nan

from scg.engine.codegen.calls import CALLS
from scg.engine.codegen.intrinsics import sqrt
from scg.engine.codegen.math import helper
from scg.engine.codegen.scalars.base import scalar
from scg.engine.codegen.scalars.gamma import polygamma, stirling
from scg.special.incomplete_beta import _NODES as _BETA_NODES
from scg.special.quantiles import _LOG_SMALL

betainccinv, betaincinv, betaln = (CALLS[name] for name in ("betainccinv", "betaincinv", "betaln"))
tiny = sys.float_info.min


@scalar
def logit_betaincinv(a, b, u):
    """Twin of :func:`scg.special.incomplete_beta.logit_betaincinv`."""
    u = tiny if u == 0.0 else u
    log_beta = betaln(a, b)
    low, high = (log(u) + log(a) + log_beta) / a, (log1p(-u) + log(b) + log_beta) / b
    log_x = low if low < _LOG_SMALL else log(betaincinv(a, b, u))
    log_rest = high if high < _LOG_SMALL else log(betainccinv(b, a, u))
    return log_x - log_rest


@helper
def log1pexp(x):
    """log(1 + exp(x))."""
    return max(x, 0.0) + log1p(exp(-abs(x)))


@helper
def mean_log(a, n):
    """ψ(a) − ψ(n), by Stirling's formula."""
    return log(a / n) - 0.5 / a + 0.5 / n + stirling(a, 1) - stirling(n, 1)


@scalar
def beta_implicit(a, b, s, in_a, in_b):
    """Twin of :func:`scg.special.incomplete_beta.beta_implicit`."""
    if not (a > 0.0 and b > 0.0 and abs(a + b + s) < inf):
        return nan
    above = s > log(a) - log(b)
    lower, upper = (b, a) if above else (a, b)
    s, n = -s if above else s, a + b
    p = exp(-log1pexp(-s))
    rate = lower - n * p
    width = 1.0 / (rate + sqrt(n * p * exp(-log1pexp(s))) + 1e-3 * lower)
    h = (log((45.0 + n * log1pexp(s)) / lower / width) + 4.0) / _BETA_NODES
    of_lower, of_upper = mean_log(lower, n), mean_log(upper, n)
    rest = 0.0
    if in_a + in_b == 2:
        own = 0.0 if in_a == in_b else polygamma(a if in_a == 2 else b, 1)
        rest = own - polygamma(n, 1)
    total = 0.0
    for k in range(_BETA_NODES):
        y = h * (k + 0.5) - 4.0
        decay = exp(-y)
        v = width * exp(y - decay)
        term = exp(-n * log1p(p * expm1(-v)) - lower * v) * v * (1.0 + decay)
        first, second = -log1pexp(v - s) - of_lower, -log1pexp(s - v) - of_upper
        first, second = (second, first) if above else (first, second)
        score = (first if in_a > 0 else 1.0) * (second if in_b > 0 else 1.0)
        if in_a == 2:
            score *= first
        if in_b == 2:
            score *= second
        total += term * (score - rest)
    return -h * total if above else h * total
