"""Forward influence: the derivative of a carry in the parameters, known at each step.

In place of going back in time, a scan takes along what its carry owes to the parameters so far.
:mod:`scg.compiler.forward` runs these choices; they see the carry as one vector of n numbers and
the parameters that it depends on as one of p, for each element of the plates of the carry.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from scg.estimators.truncation import Truncation
from scg.ir.expr import Expr
from scg.ops.elementwise import sqrt


class Slopes(Protocol):
    """Derivatives of a new carry in the carry before it and in the parameters."""

    def along(self, tangent: Expr) -> Expr:
        """J s: how the new carry changes if the one before moves along s, n numbers."""
        ...

    def back(self, cotangent: Expr) -> Expr:
        """νᵀ ∂F/∂θ: how ν · new carry changes with the parameters themselves, p numbers."""
        ...

    def whole(self) -> tuple[Expr, Expr]:
        """J, of shape (n, n), and ∂F/∂θ, of shape (n, p)."""
        ...

    def signs(self) -> Expr:
        """n independent signs, ±1."""
        ...


class Forward(Truncation):
    """What a scan takes along of the influence of the parameters on its carry."""

    loops = True

    def shapes(self, n: int, p: int) -> tuple[tuple[int, ...], ...]:
        """Shapes of the numbers that are taken along."""
        raise NotImplementedError

    def first(self, init: Slopes) -> tuple[Expr, ...]:
        """The numbers before the first step, where only parameters enter."""
        raise NotImplementedError

    def next(self, before: tuple[Expr, ...], step: Slopes) -> tuple[Expr, ...]:
        """The numbers after a step."""
        raise NotImplementedError

    def toward(self, taken: tuple[Expr, ...], theta: Expr) -> Expr:
        """The influence times θ, n numbers."""
        raise NotImplementedError


class RTRL(Forward):
    """Real-time recurrent learning: the exact influence of each parameter on the carry.

    G ← J G + ∂F/∂θ, where F makes the new carry, and J is its derivative in the carry before. The
    gradient is that of backpropagation through all steps, on the same noise. Use it to learn online
    from a sequence without end, or as the exact counterpart of :class:`UORO`. G has n · p numbers
    for each element of the carry's plates, where the carry has n and the parameters p, and a step
    takes n² p operations: it is for small states. On whole sequences backpropagation is cheaper.
    First derivatives only.

    Examples
    --------
    >>> import scg
    >>> g, steps = scg.Graph("sum"), scg.Time("t", length=4)
    >>> a = g.parameter("a", 0.5)
    >>> def cell(h):
    ...     g.cost("c", h + a)
    ...     return a * h + 1.0
    >>> last = g.scan(cell, init=0.0, over=steps)
    >>> for how in None, scg.RTRL():
    ...     print(scg.compile(g, truncate=how, backend="numpy")({"a": 0.5}, seed=0).grads["a"])
    7.0
    7.0

    References
    ----------
    Williams and Zipser (1989).
    """

    cites = ("williams1989",)
    words = "the carry takes its derivative in the parameters along"

    def shapes(self, n: int, p: int) -> tuple[tuple[int, ...], ...]:
        """One matrix."""
        return ((n, p),)

    def first(self, init: Slopes) -> tuple[Expr, ...]:
        """The derivative of the initial carry."""
        return (init.whole()[1],)

    def next(self, before: tuple[Expr, ...], step: Slopes) -> tuple[Expr, ...]:
        """J G + ∂F/∂θ."""
        jacobian, direct = step.whole()
        return (jacobian @ before[0] + direct,)

    def toward(self, taken: tuple[Expr, ...], theta: Expr) -> Expr:
        """G θ."""
        return taken[0] @ theta


class UORO(Forward):
    """Unbiased online recurrent optimization: an influence of rank one, of the right mean.

    The influence G is estimated by s̃ θ̃ᵀ. With independent signs ν,

        s̃ ← ρ₀ J s̃ + ρ₁ ν,    θ̃ ← θ̃/ρ₀ + νᵀ(∂F/∂θ)/ρ₁,

    whose product has the mean J s̃ θ̃ᵀ + ∂F/∂θ for all positive ρ that are even in ν. The norms of
    both factors are balanced, ρ₀² = |θ̃|/|J s̃| and ρ₁² = |νᵀ ∂F/∂θ|/|ν|. A step takes a JVP and a
    VJP of the cell, and keeps n + p numbers, without a look back: use it to learn online where
    :class:`RTRL` is too large. The price is variance, which grows with the size of the carry. First
    derivatives only.

    Examples
    --------
    >>> import scg
    >>> g, steps = scg.Graph("sum"), scg.Time("t", length=4)
    >>> a = g.parameter("a", 0.5)
    >>> def cell(h):
    ...     g.cost("c", h + a)
    ...     return a * h + 1.0
    >>> last = g.scan(cell, init=0.0, over=steps)
    >>> out = scg.compile(g, truncate=scg.UORO())({"a": 0.5}, seed=0, runs=10_000)
    >>> bool(abs(out.grads["a"] - 7.0) < 4 * out.stderr["a"])
    True

    References
    ----------
    Tallec and Ollivier (2018).
    """

    cites = ("tallec2018",)
    unrolls = False
    words = "the carry takes along a product of two vectors whose mean is its derivative"

    def shapes(self, n: int, p: int) -> tuple[tuple[int, ...], ...]:
        """Two vectors."""
        return (n,), (p,)

    def first(self, init: Slopes) -> tuple[Expr, ...]:
        """One random direction of the initial carry."""
        signs = init.signs()
        direct = init.back(signs)
        balance = _balance(direct, signs)
        return balance * signs, direct / balance

    def next(self, before: tuple[Expr, ...], step: Slopes) -> tuple[Expr, ...]:
        """The balanced sum of what there was and one random direction."""
        signs = step.signs()
        moved, theta = step.along(before[0]), before[1]
        direct = step.back(signs)
        old, new = _balance(theta, moved), _balance(direct, signs)
        return old * moved + new * signs, theta / old + direct / new

    def toward(self, taken: tuple[Expr, ...], theta: Expr) -> Expr:
        """s̃ (θ̃ · θ)."""
        return taken[0] * (taken[1] @ theta)


#: Added to norms, so that a product with a vector of zeros stays finite.
_TINY = 1e-7


def _balance(above: Expr, below: Expr) -> Expr:
    """The root of a ratio of norms."""
    return sqrt((_norm(above) + _TINY) / (_norm(below) + _TINY))


def _norm(x: Expr) -> Expr:
    return sqrt(np.sum(x**2))
