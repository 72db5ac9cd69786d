"""Special functions of one element, in double precision: SciPy's, and twins of our own.

The interpreter's versions, in :mod:`scg.special.incomplete_gamma`, :mod:`scg.special.quantiles` and
:mod:`scg.special.von_mises`, say where each formula comes from; here they stand for one element, in
real arithmetic.
"""

from scg.engine.codegen.scalars.beta import beta_implicit, logit_betaincinv
from scg.engine.codegen.scalars.counts import (
    binomial_quantile,
    negative_binomial_quantile,
    poisson_quantile,
)
from scg.engine.codegen.scalars.gamma import (
    gamma_implicit,
    gammainc_da,
    log_gammainccinv,
    log_gammaincinv,
    polygamma,
    stirling,
)
from scg.engine.codegen.scalars.von_mises import (
    log_i0e,
    von_mises_cdf,
    von_mises_quantile,
    von_mises_variance,
)

__all__ = [
    "beta_implicit",
    "binomial_quantile",
    "gamma_implicit",
    "gammainc_da",
    "log_gammainccinv",
    "log_gammaincinv",
    "log_i0e",
    "logit_betaincinv",
    "negative_binomial_quantile",
    "poisson_quantile",
    "polygamma",
    "stirling",
    "von_mises_cdf",
    "von_mises_quantile",
    "von_mises_variance",
]
