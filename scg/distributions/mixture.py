"""Finite mixtures."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from scg.distributions import constraints as sets
from scg.distributions.base import ENTROPY, FAR, Distribution, unsupported
from scg.distributions.categorical import Categorical
from scg.distributions.finite import Joint
from scg.distributions.given import one_of
from scg.distributions.independent import Independent
from scg.distributions.mixture_moves import joined, movable
from scg.distributions.mixture_path import closed, opened
from scg.distributions.protocols import Noise
from scg.distributions.tagged import Tagged
from scg.distributions.upward import Upward
from scg.distributions.values import check_mask, on_support
from scg.errors import DeclarationError, UnsupportedError
from scg.ir.expr import Expr
from scg.ops.elementwise import (
    equal,
    exp,
    greater,
    log1p,
    logical_and,
    logical_not,
    logical_or,
    minimum,
    sigmoid,
    square,
    where,
)
from scg.ops.gradient import stop
from scg.ops.indexing import getitem
from scg.ops.reductions import logsumexp, sum
from scg.ops.shape import concatenate, reshape
from scg.ops.weighted import log_mean_exp
from scg.ops.within import jumps, within


class Mixture(Joint):
    """Mixture of K distributions, one of which is chosen for the whole event.

    Elements that choose independently are a scalar mixture on a plate. The choice is summed out of
    `log_prob`; declare a :class:`Categorical` node to keep it. Samples have implicit derivatives in
    weights and components, by conditional CDFs, where components have these and one support.

    Parameters
    ----------
    components : sequence of Distribution
        The K components, of one event shape and kind.
    logits : array_like or node, optional
        Unnormalised log-weights, shape (K,).
    probs : array_like or node, optional
        Weights w, shape (K,), that sum to one; give one of the two.

    Raises
    ------
    DeclarationError
        If components and weights differ in number, or components in shape or kind.

    Notes
    -----
    p(x) = Σ_k w_k p_k(x). Where one component has a point mass (a spike), densities of the others
    (the slab) count as zero. A mean or variance exists if all components have one; values can be
    enumerated if the components are of one enumerable family.

    Examples
    --------
    >>> import scg
    >>> d = scg.Mixture([scg.Normal(-1.0, 1.0), scg.Normal(3.0, 1.0)], probs=[0.25, 0.75])
    >>> float(d.mean())
    2.0
    """

    extends_to_mean = True
    whole = True
    quantile = unsupported("quantile function", "a sum has no closed inverse; see `coupling`")
    mode = unsupported("mode", "a sum of densities has no closed maximum")
    entropy_elementwise = kl_elementwise = unsupported(ENTROPY, "the logarithm of a sum has none")
    constraints = sets.of(logits=sets.class_logits, probs=sets.simplex)

    def __new__(cls, components: Sequence[Distribution] = (), *_: Any, **__: Any) -> Mixture:
        """Make an instance of the Mixture that belongs to the families of the components."""
        listed = isinstance(components, Sequence)
        if not listed or not all(isinstance(law, Distribution) for law in components):
            raise DeclarationError(f"Mixture: components must be distributions, got {components!r}")
        return object.__new__(_of(tuple(type(law) for law in components)))

    def __init__(
        self, components: Sequence[Distribution], *, logits: Any = None, probs: Any = None
    ):
        self.components = tuple(components)
        self.choice = Categorical(**one_of("Mixture", logits=logits, probs=probs))
        first = self.components[0] if self.components else None
        if first is None or self.choice.classes != len(self.components) or self.choice.shape:
            raise DeclarationError(
                f"Mixture: {len(self.components)} components need a vector of as many weights, "
                f"got {self.choice!r}"
            )
        for k, law in enumerate(self.components):
            if (law.shape, law.kind) != (first.shape, first.kind):
                raise DeclarationError(
                    f"Mixture: component {k} draws {law.kind}s of shape {law.shape}, but "
                    f"component 0 {first.kind}s of shape {first.shape}"
                )
            if law.support.kind == "mixed":
                raise DeclarationError(
                    f"Mixture: component {k} mixes densities with probabilities; write one Mixture "
                    "of all components, with the products of the weights"
                )
        self.shape, self.kind = first.shape, first.kind
        self.parameters = dict(self.choice.parameters) | {
            f"{k}/{name}": value
            for k, law in enumerate(self.components)
            for name, value in law.parameters.items()
        }

    @property
    def static(self) -> tuple[Any, ...]:
        """How the weights are given; family, options and number of parameters of each part."""
        parts = ((type(law), law.static, len(law.parameters)) for law in self.components)
        return (*self.choice.static, *parts)

    @classmethod
    def rebuild(cls, values: tuple[Any, ...], static: tuple[Any, ...]) -> Any:
        """Distribution with other parameter values."""
        name, *parts = static
        components, start = [], 1
        for family, options, count in parts:
            components.append(family.rebuild(values[start : start + count], options))
            start += count
        return Mixture(components, **{name: values[0]})

    def constraint(self, name: str) -> sets.Constraint:
        """That of a component's parameter, or of a weight."""
        k, slash, own = name.partition("/")
        return self.components[int(k)].constraint(own) if slash else self.choice.constraint(name)

    @property
    def support(self) -> Any:
        """Union of the components' supports."""
        return sets.Union(*(law.support for law in self.components))

    def sample(self, noise: Noise) -> Any:
        """Sample of the chosen component; all components are sampled on separate noise."""
        index = self.choice.sample(Tagged(noise, "choice/"))
        parts = enumerate(self.components)
        x = _chosen(index, [law.sample(Tagged(noise, f"{k}/")) for k, law in parts])
        return opened(self.components, self.choice.log_probs, x) if self.reparameterized else x

    def upward(self, x: Any, noise: Noise) -> Upward:
        """The next component, whose sample is there already, or a move within the chosen one."""
        choice = self.choice.sample(Tagged(noise, "choice/"))
        ups = []
        for k, law in enumerate(self.components):
            own = Tagged(noise, f"{k}/")
            ups.append(law.upward(stop(law.sample(own)), own))
        return joined(self.choice.upward(choice), ups, choice, _chosen)

    @property
    def uniforms(self) -> tuple[int, ...]:
        """Number of uniforms: one for the choice, and as many as a component takes."""
        return (1 + max(math.prod(law.uniforms) for law in self.components),)

    def coupling(self, u: Any) -> Any:
        """The coupling of the component that the first uniform chooses, with the others."""
        index = self.choice.quantile(getitem(u, 0))
        own = [getitem(u, (slice(1, 1 + math.prod(law.uniforms)),)) for law in self.components]
        pairs = zip(self.components, own, strict=True)
        return _chosen(index, [law.coupling(reshape(v, shape=law.uniforms)) for law, v in pairs])

    def log_prob_on_support(self, x: Any, mask: Any = None) -> Any:
        """log Σ w p(x), one value for the event; each component looks at its own support."""
        if mask is not None:
            check_mask(self, mask)
        supports = [law.support for law in self.components]
        kinds = {(support.kind, isinstance(support, sets.Point)) for support in supports}
        if ("real", False) in kinds and not all(support.same(supports[0]) for support in supports):
            x = jumps(x)
        log_prob = self._apart if len(kinds) > 1 else self._each
        parts = [reshape(part, shape=(1,)) for part in log_prob(x, mask)]
        joined = concatenate(*parts, axis=-1)
        if "probs" in self.parameters:  # the derivative in a weight of zero is a ratio of densities
            total = log_mean_exp(self.parameters["probs"], joined)
        else:
            total = logsumexp(self.choice.log_probs + joined, -1)
        if kinds == {("integer", False)}:
            total = self._with_slopes(total, x, mask)
        return total if mask is None else where(mask, total, 0.0)

    def _with_slopes(self, total: Any, x: Any, mask: Any) -> Any:
        """Add log(1 + Σ w p(x) / exp(total)) over p(x) = 0, which is 0 but not its derivative.

        A derivative remains if a single factor of p(x) is 0: it is taken apart from the logarithms
        of the others.
        """
        added: Any = None
        for k, law in enumerate(self.components):
            law = law.base if isinstance(law, Independent) else law
            if not _may_be_zero(law):
                continue
            logs = law.log_prob(x, elementwise=True, mask=mask)
            zeros = on_support(law, x, mask, "prob_elementwise", 0.0)
            lost = sum(within(logs, -np.inf, np.inf, 0.0, zeros, closed=True))
            count = sum(within(logs, -np.inf, np.inf, 0.0, 1.0, closed=True))
            lost = within(count, 0.5, 1.5, lost, 0.0, closed=True)
            kept = sum(within(logs, -np.inf, np.inf, logs, 0.0, closed=True))
            part = getitem(self.choice.probs, k) * lost * exp(minimum(kept - total, FAR))
            added = part if added is None else added + part
        if added is None:
            return total
        return total + log1p(within(total, -np.inf, np.inf, added, 0.0, closed=True))

    def _each(self, x: Any, mask: Any) -> list[Any]:
        return [law.log_prob(x, mask=mask) for law in self.components]

    def _apart(self, x: Any, mask: Any) -> list[Any]:
        """Probabilities, −∞ where there are none; densities, −∞ where there are probabilities."""
        parts: dict[int, Any] = {}
        spike: Any = False
        for k, law in enumerate(self.components):
            if law.support.kind == "integer":
                part = law.log_prob(x, mask=mask)
                hit = logical_and(greater(part, -np.inf), law.support.hit(x))
                parts[k], spike = where(hit, part, -np.inf), logical_or(spike, hit)
        free = logical_not(spike)
        there = free if mask is None else where(mask, free, False)
        for k, law in enumerate(self.components):
            if k not in parts:
                parts[k] = where(free, law.log_prob(x, mask=there), -np.inf)
        return [parts[k] for k in range(len(self.components))]

    def prob(self, x: Any) -> Any:
        """Σ w p(x)."""
        return self._average([law.prob(x) for law in self.components])

    def _average(self, values: Sequence[Any]) -> Any:
        total: Any = 0.0
        for k, value in enumerate(values):
            total = total + getitem(self.choice.probs, k) * value
        return total

    def mean(self) -> Any:
        """Σ w μ."""
        return self._average([law.mean() for law in self.components])

    def variance(self) -> Any:
        """Σ w (σ² + (μ − m)²) with m the mean."""
        mean = self.mean()
        return self._average(
            [law.variance() + square(law.mean() - mean) for law in self.components]
        )

    def cardinality(self) -> int:
        """Number of values of a component."""
        counts = {law.cardinality() for law in self.components}
        first, *others = (law.support for law in self.components)
        if len(counts) == 1 and not all(support.same(first) for support in others):
            raise UnsupportedError("Mixture: its components have no common support")
        if len(counts) > 1:
            raise UnsupportedError(
                f"Mixture: its components have {' and '.join(map(str, sorted(counts)))} values, "
                "and no common support"
            )
        return counts.pop()

    def enumerate_support(self) -> np.ndarray:
        """The values of the first component, which the others share."""
        return self.components[0].enumerate_support()


def _may_be_zero(law: Distribution) -> bool:
    """Whether the probability of a value may be exactly 0 and have a derivative."""
    p = law.parameters.get("probs")
    given = isinstance(p, Expr) and p.op is not sigmoid
    return given and law.supports("cardinality") and not isinstance(law, Mixture)


def _chosen(index: Any, draws: Sequence[Any]) -> Any:
    value = draws[0]
    for k, draw in enumerate(draws[1:], 1):
        value = where(equal(index, k), draw, value)
    return value


@functools.cache
def _of(families: tuple[type[Distribution], ...]) -> type[Mixture]:
    """Mixture of some families, with the traits that all of them have."""
    members: dict[str, Any] = {
        "__doc__": Mixture.__doc__,
        "extends_to_mean": all(family.extends_to_mean for family in families),
        "kind": families[0].kind if families else "float",
    }
    members["stopped"] = closed(families)
    members["reparameterized"] = not members["stopped"]
    members["weak_parameters"] = movable(families)
    for name in ("mean", "variance", "cardinality", "enumerate_support", "upward"):
        lacking = next((family for family in families if not family.supports(name)), None)
        if lacking is not None:
            members[name] = getattr(lacking, name)
    if len(set(families)) > 1:
        for name in ("cardinality", "enumerate_support"):
            members[name] = unsupported("finite support", "its components have different ones")
    return type(Mixture.__name__, (Mixture,), members)
