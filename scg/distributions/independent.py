"""Blocks of independent elements that count as one."""

from __future__ import annotations

import functools
from typing import Any

from scg.distributions.base import Distribution, unsupported
from scg.distributions.values import deepened
from scg.errors import DeclarationError
from scg.ops.reductions import sum

_TRAITS = ("kind", "whole", "reparameterized", "extends_to_mean", "constraints", "weak_parameters")
_OPTIONAL = (
    *("mean", "variance", "mode", "quantile", "enumerate_support", "cardinality"),
    *("weak_derivatives", "moved", "upward", "coordinate_values", "coordinate_probs"),
    *("location", "perturbation", "condition", "relax", "separate", "latent"),
    *("scores", "decide", "accepted", "standardized", "cdf", "opened"),
    *("gibbs", "log_weight", "conditional"),
)


def _delegate(name: str) -> Any:
    def method(self: Any, *args: Any, **options: Any) -> Any:
        return getattr(self.base, name)(*args, **options)

    method.__doc__ = f"{name} of the base distribution."
    return method


class Independent(Distribution):
    """A distribution whose last event axes are one block.

    The event and `log_prob` are those of the base distribution; with ``elementwise=True`` the
    log-probability is summed over each block. Use it where estimators or masks should treat a
    vector as one unit. Event axes are not plates: for independent repetition use a :class:`Plate`.

    Parameters
    ----------
    base : Distribution
        The distribution of the elements.
    axes : int
        Number of trailing axes of elementwise results that form a block.

    Raises
    ------
    DeclarationError
        If `base` is not a distribution, or has fewer than `axes` event axes.

    Notes
    -----
    Its traits are those of the family of `base`, so that each family has its own Independent.

    Examples
    --------
    >>> import numpy as np, scg
    >>> d = scg.Independent(scg.Normal(np.zeros((3, 2)), 1.0))
    >>> d.log_prob(np.zeros((3, 2)), elementwise=True).shape
    (3,)
    """

    #: The family of the base distribution.
    family: type[Distribution]

    def __new__(cls, base: Any = None, *_: Any, **__: Any) -> Independent:
        """Make an instance of the Independent that belongs to the family of `base`."""
        if not isinstance(base, Distribution):
            raise DeclarationError(f"Independent: base must be a distribution, got {base!r}")
        return object.__new__(_of(type(base)))

    def __init__(self, base: Distribution, axes: int = 1):
        self.base, self.axes = base, axes
        self.shape, self.parameters = base.shape, base.parameters
        if not isinstance(axes, int) or not 1 <= axes <= len(self.shape):
            raise DeclarationError(
                f"Independent: axes must be from 1 to {len(self.shape)}, the event axes of "
                f"{base!r}, got {axes!r}"
            )

    @property
    def static(self) -> tuple[Any, ...]:
        """Family and options of the base distribution, and the number of axes."""
        return type(self.base), self.base.static, self.axes

    @classmethod
    def rebuild(cls, values: tuple[Any, ...], static: tuple[Any, ...]) -> Any:
        """Distribution with other parameter values."""
        family, options, axes = static
        return Independent(family.rebuild(values, options), axes)

    @property
    def support(self) -> Any:
        """As the base distribution."""
        return self.base.support

    @property
    def uniforms(self) -> tuple[int, ...]:
        """As the base distribution."""
        return self.base.uniforms

    coupling, sample, prob = map(_delegate, ("coupling", "sample", "prob"))
    constraint = _delegate("constraint")

    def log_prob_on_support(self, x: Any, mask: Any = None) -> Any:
        """Log-probability of each block."""
        there = None if mask is None else deepened(mask, self.axes)
        return self._block(self.base.log_prob_on_support(x, there))

    def _block(self, values: Any) -> Any:
        return sum(values, tuple(range(-self.axes, 0)))

    def _block_entropy(self) -> Any:
        """Entropy of each block."""
        return self._block(self.base.entropy_elementwise())

    def _block_divergence(self, other: Any) -> Any:
        """Divergence of each block."""
        return self._block(self.base.kl_elementwise(other.base))


_BLOCKWISE = {
    "entropy_elementwise": Independent._block_entropy,
    "kl_elementwise": Independent._block_divergence,
}
for _name in (*_OPTIONAL, *_BLOCKWISE):
    setattr(
        Independent, _name, unsupported(_name, "it has what the distribution of its elements has")
    )


@functools.cache
def _of(family: type[Distribution]) -> type[Independent]:
    """Independent of a family, with its traits."""
    members: dict[str, Any] = {name: getattr(family, name) for name in _TRAITS}
    for name in (*_OPTIONAL, *_BLOCKWISE):
        there = _BLOCKWISE.get(name) or _delegate(name)
        members[name] = there if family.supports(name) else getattr(family, name)
    members["family"] = family
    members["__doc__"] = f"Independent blocks of {family.__name__} elements."
    return type(Independent.__name__, (Independent,), members)
