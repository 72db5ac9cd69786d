"""Distributions of transformed vectors: normalizing flows."""

from __future__ import annotations

from typing import Any

from scg.distributions import constraints as sets
from scg.distributions.base import ENTROPY, Distribution, unsupported
from scg.distributions.bijections import Bijection
from scg.distributions.finite import Joint
from scg.distributions.protocols import Noise
from scg.errors import DeclarationError
from scg.ops.reductions import sum


class Transformed(Joint):
    """Distribution of y = f_n(... f_1(x)), a vector x of a base distribution under bijections.

    Use it for posteriors and densities that no family has (a normalizing flow). Samples and their
    log-probabilities are differentiable in all parameters.

    Parameters
    ----------
    base : Distribution
        Distribution of a vector of real numbers, with pathwise samples, such as
        ``scg.Normal(np.zeros(4))``.
    *bijections : Bijection
        Applied one after the other: :class:`AffineCoupling`, :class:`SplineCoupling`.

    Raises
    ------
    DeclarationError
        If the base has no pathwise samples of vectors of all real numbers, or shapes do not fit.

    Notes
    -----
    log p(y) = log p_base(x) − Σ log |det ∂f| (Rezende and Mohamed 2015).

    Examples
    --------
    >>> import numpy as np, scg
    >>> layers = [(np.zeros((1, 2)), np.zeros(2))]
    >>> flow = scg.Transformed(scg.Normal(np.zeros(2)), scg.AffineCoupling(layers))
    >>> round(float(flow.log_prob(np.zeros(2))), 4)
    -1.8379
    """

    whole = True
    reparameterized = True
    support = sets.real_vector
    mean = variance = unsupported("moments in closed form", "it is an integral")
    mode = unsupported("mode", "a density of a flow has no closed maximum")
    entropy_elementwise = kl_elementwise = unsupported(ENTROPY, "it is an integral")
    constraints = sets.of()

    def __init__(self, base: Distribution, *bijections: Bijection):
        if not isinstance(base, Distribution) or not all(
            isinstance(bijection, Bijection) for bijection in bijections
        ):
            raise DeclarationError(
                f"Transformed: expected a distribution and bijections, got {(base, *bijections)!r}"
            )
        vector = len(base.shape) == 1 and base.shape[0] >= 2
        real = isinstance(base.support, sets.Real)
        if not (vector and real and base.reparameterized and not base.lacks("coupling")):
            raise DeclarationError(
                f"Transformed: the base must be a vector of at least two real numbers with "
                f"pathwise samples, such as scg.Normal(np.zeros(4)), got {base!r}"
            )
        self.base, self.bijections, self.shape = base, bijections, base.shape
        self.parameters = dict(base.parameters)
        for i, bijection in enumerate(bijections):
            bijection.check(self.shape[0])
            self.parameters |= {f"{i}/{j}": v for j, v in enumerate(bijection.parameters)}

    @property
    def static(self) -> tuple[Any, ...]:
        """Family, options and number of parameters of each part."""
        parts = ((type(f), f.options, len(f.parameters)) for f in self.bijections)
        return (type(self.base), self.base.static, len(self.base.parameters)), *parts

    @classmethod
    def rebuild(cls, values: tuple[Any, ...], static: tuple[Any, ...]) -> Any:
        """Distribution with other parameter values."""
        made, start = [], 0
        for family, options, count in static:
            made.append(family.rebuild(values[start : start + count], options))
            start += count
        return cls(*made)

    def constraint(self, name: str) -> sets.Constraint:
        """That of the base's parameter; those of bijections are real."""
        return sets.real if "/" in name else self.base.constraint(name)

    @property
    def uniforms(self) -> tuple[int, ...]:
        """As the base."""
        return self.base.uniforms

    def sample(self, noise: Noise) -> Any:
        """Sample of the base, transformed."""
        return self._forward(self.base.sample(noise))

    def coupling(self, u: Any) -> Any:
        """Coupling of the base, transformed."""
        return self._forward(self.base.coupling(u))

    def _forward(self, x: Any) -> Any:
        for bijection in self.bijections:
            x = bijection.forward(x)
        return x

    def log_prob_elementwise(self, x: Any) -> Any:
        """Log-density of the base less the logarithms of the Jacobians, one value."""
        logs: Any = 0.0
        for bijection in reversed(self.bijections):
            x, log_slope = bijection.inverse(x)
            logs = logs + log_slope
        return sum(self.base.log_prob_elementwise(x)) - logs
