"""The base classes of distributions, whose methods are NumPy notation on their parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from scg.common.arguments import constructor
from scg.distributions.constraints import Constraint, check
from scg.distributions.given import joint_shape, parameters_of
from scg.distributions.protocols import Noise
from scg.distributions.values import check_shapes, check_value, on_support
from scg.errors import DeclarationError, UnsupportedError
from scg.ir.expr import Density, Expr
from scg.ir.op import constant
from scg.ir.plate import ordered
from scg.ops.elementwise import exp, where
from scg.ops.reductions import expand, sum
from scg.ops.statistics import prod


def unsupported(what: str, why: str = "") -> Callable[..., Any]:
    """Declare that a distribution lacks an optional method, and why."""

    def method(self: Distribution, *args: Any, **kwargs: Any) -> Any:
        reason = f": {why}" if why else ""
        raise UnsupportedError(f"{type(self).__name__} has no {what}{reason}")

    method.unsupported = why or what  # type: ignore[attr-defined]
    return method


def closed_form(formula: str, method: Callable[..., Any]) -> Callable[..., Any]:
    """Method of one expression, with its formula as docstring."""
    method.__doc__ = f"{formula}."
    return method


#: Least and largest latent, up to sign: exp(±FAR) is a normal number in single precision.
FAR = 80.0

#: What a family without these lacks, for :func:`unsupported`.
ENTROPY = "entropy or divergence in closed form"

_NOT_RELAXED = unsupported("relaxation", "only a step or an argmax of a latent variable has one")


class Distribution:
    """Base class of all distributions.

    Give a distribution to ``graph.sample`` or ``graph.observe``, or call its methods. They return
    arrays if all parameters are numbers or arrays, and nodes if a parameter is a node. A method
    that a family lacks raises an error with the reason.

    Attributes
    ----------
    parameters : dict
        The given parameters by name, in the order of the constructor.
    fixed : tuple of str
        Arguments of the constructor that are not parameters, such as a number of trials.
    static : tuple
        Options and names of parameters, from which :meth:`rebuild` makes the distribution again.
    shape : tuple of int
        Event shape of one sample.
    constraints : mapping
        Constraint of each parameter by name; the constructor checks numbers.
    support : Constraint
        Set of possible values.
    kind : {"float", "int"}
        Type of a sample.
    reparameterized : bool
        True if `sample` is differentiable in the parameters (pathwise).
    extends_to_mean : bool
        True if `log_prob` is defined at the mean, as a mean-field pass requires.
    whole : bool
        True if `log_prob` takes values of exactly the event shape, without broadcasting.
    """

    kind = "float"
    reparameterized = False
    #: Why a mixture of families is not reparameterized.
    stopped = ""
    extends_to_mean = False
    whole = False
    fixed: tuple[str, ...] = ()
    constraints: Mapping[str, Constraint]
    support: Any
    parameters: dict[str, Any]
    shape: tuple[int, ...]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.__init__ = constructor(cls, DeclarationError)

    def declare(self, **given: Any) -> None:
        """Store and check the parameters, and broadcast them to the event shape."""
        family = type(self).__name__
        self.parameters = parameters_of(family, **given)
        self.check_numbers()
        self.shape = joint_shape(family, **self.parameters)

    def constraint(self, name: str) -> Constraint:
        """Constraint of a parameter, which may be one of a part."""
        return self.constraints[name]

    def check_numbers(self) -> None:
        """Check parameters that are numbers."""
        for name, value in self.parameters.items():
            if not isinstance(value, Expr):
                check(type(self).__name__, name, value, self.constraints[name])

    def full(self, x: Any) -> Any:
        """Broadcast `x` to the event shape and the plates of the parameters."""
        nodes = [value for value in self.parameters.values() if isinstance(value, Expr)]
        if not nodes:
            return np.broadcast_to(np.asarray(x, dtype=float), self.shape)
        x = x if isinstance(x, Expr) else constant(nodes[0].graph, float(x))
        return expand(x, ordered(plate for node in nodes for plate in node.plates), self.shape)

    @property
    def static(self) -> tuple[Any, ...]:
        """The `fixed` arguments, and the names of the given parameters."""
        return (*(getattr(self, name) for name in self.fixed), *self.parameters)

    @classmethod
    def rebuild(cls, values: tuple[Any, ...], static: tuple[Any, ...]) -> Any:
        """Distribution with other parameter values."""
        names = (*cls.fixed, *static[len(cls.fixed) :])
        return cls(**dict(zip(names, (*static[: len(cls.fixed)], *values), strict=True)))

    @classmethod
    def supports(cls, method: str) -> bool:
        """Whether the family has an optional method."""
        return not cls.lacks(method)

    @classmethod
    def lacks(cls, method: str) -> str:
        """Reason why the family lacks an optional method; empty if it has the method."""
        return getattr(getattr(cls, method), "unsupported", "")

    @property
    def uniforms(self) -> tuple[int, ...]:
        """Shape of the uniforms that `coupling` takes."""
        return self.shape

    def coupling(self, u: Any) -> Any:
        """Sample as a function of uniforms: the quantile; for vectors, element after element.

        Two distributions are coupled if their samples are functions of the same uniforms.
        """
        return self.quantile(u)

    def sample(self, noise: Noise) -> Any:
        """Sample, a deterministic function of noise: by default the coupling of uniforms."""
        return self.coupling(noise.uniform(self.uniforms))

    def rounding(self, x: Any, noise: Noise) -> Any:
        """What the elementwise log-probability of a sample `x` lacks by rounding, or None."""
        return None

    def log_prob(self, x: Any, elementwise: bool = False, mask: Any = None) -> Any:
        """Log of the density or probability at `x`, summed over the event.

        Parameters
        ----------
        x : array_like or node
            The value. Outside the support, and at infinite data, the result is −∞ with a zero
            derivative.
        elementwise : bool
            If True, independent elements of the event are not summed.
        mask : array_like or node, optional
            False where a value is missing: a scalar, or of the shape of the elementwise result.
            Missing values contribute zero to the result and to derivatives, whatever `x` holds.

        Raises
        ------
        DeclarationError
            If shapes do not fit, or if broadcasting would count elements of the event repeatedly.
        """
        check_value(self, x, elementwise)
        values = self.log_prob_on_support(x, mask)
        return _recorded(values if elementwise else sum(values), (self, x))

    def log_prob_on_support(self, x: Any, mask: Any = None) -> Any:
        """Elementwise log-probability, −∞ outside the support, 0 where the mask is false."""
        return on_support(self, x, mask)

    @property
    def fill(self) -> Any:
        """Value at which the log-probability has finite derivatives."""
        return self.support.inside

    def log_prob_elementwise(self, x: Any) -> Any:
        """Log of the density or probability of each independent element, on the support."""
        raise NotImplementedError

    def prob(self, x: Any) -> Any:
        """Probability or density of the event; leading axes of `x` are kept.

        Use it in place of exp(log_prob) where a probability may be 0: its derivative is finite if
        the support is.
        """
        values = self.prob_elementwise(x)
        axes = tuple(range(np.ndim(x) - len(self.shape), np.ndim(values)))
        return prod(values, axes) if axes else values

    def prob_elementwise(self, x: Any) -> Any:
        """Probability or density of each independent element of the event."""
        return exp(self.log_prob_on_support(x))

    def entropy(self, elementwise: bool = False) -> Any:
        """Entropy, summed over the event."""
        values = self.entropy_elementwise()
        return _recorded(values if elementwise else sum(values), (self, None))

    def kl(self, other: Any, elementwise: bool = False) -> Any:
        """Kullback-Leibler divergence KL(self ‖ other) within a family, summed over the event."""
        check_same(self, other)
        check_shapes(f"kl of {type(self).__name__}", other, self.shape)
        values = self.kl_elementwise(other)
        return _recorded(values if elementwise else sum(values), (self, None), (other, None))

    #: The inverse of the distribution function, elementwise.
    quantile = unsupported("quantile function", "vectors are not ordered; see `coupling`")
    #: ``cdf(x)``, elementwise and on the support, for paths through mixtures.
    cdf = unsupported("distribution function", "none is implemented")
    #: ``conditional(d, before)``: the distribution of element d of a vector given those before it.
    conditional = unsupported("conditional distributions", "none are implemented")
    #: ``opened(x)``: the held value x with the derivatives in the parameters of a sample at x.
    opened = unsupported("path through given values", "none is implemented")
    mean = unsupported("mean")
    variance = unsupported("variance")
    mode = unsupported("mode")
    entropy_elementwise = unsupported("entropy in closed form")
    kl_elementwise = unsupported("Kullback-Leibler divergence in closed form")
    #: All values of the event, stacked on a leading axis; needs a finite support.
    enumerate_support = unsupported("finite support", "infinitely many values")
    #: Number of values of the event.
    cardinality = enumerate_support
    #: ``weak_derivatives(x, noise)``: for each of `weak_parameters`, given a sample x, its signed
    #: parts (parameter, factor, positive sample, negative sample).
    weak_derivatives = unsupported("measure-valued derivative", "no decomposition is published")
    #: ``accepted(noise, augment)``: the sample as a function of the noise of an accepted proposal,
    #: and the log-density of that noise.
    accepted = unsupported("rejection sampler with a smooth proposal", "none is implemented")
    #: ``standardized(noise)``: the same for noise of mean 0 and variance 1.
    standardized = unsupported("standardization", "none is implemented")
    #: ``upward(x, noise)``: the moves of the coordinates of a sample on this noise, an
    #: :class:`Upward`.
    upward = unsupported("next value", "its values have no order, or no next one")
    #: ``gibbs(x, noise, step)``: a step of a Markov chain that keeps the distribution; and
    #: ``log_weight(x)``: log p(x) but for a constant.
    gibbs = unsupported("block Gibbs sampler", "it is sampled exactly")
    log_weight = gibbs
    #: Names of the parameters that have a weak derivative.
    weak_parameters: tuple[str, ...] = ()

    def moved(self, x: Any, here: Any, part: Any) -> Any:
        """The sample `x` with one coordinate, `here`, at a part of its weak derivative."""
        return where(here, part, x)

    #: All values of one coordinate, stacked on a leading axis; the coordinates are independent.
    coordinate_values = unsupported(
        "independent coordinates with finitely many values", "infinitely many values"
    )
    #: The probabilities of those values for each coordinate, values on the last axis.
    coordinate_probs = coordinate_values
    # A relaxation: x = H(z) of a latent z = location + perturbation, where H is a step or an
    # argmax. Latents are finite, because probabilities below exp(−FAR) count as exp(−FAR).
    #: ``location(probs=None)``: the latent without its perturbation, for these or other `probs`.
    location = _NOT_RELAXED
    #: ``perturbation(x, noise)``: its distribution has no parameters; x is the sample of the noise.
    perturbation = _NOT_RELAXED
    #: ``condition(x, noise, like=None)``: the latent given x, on separate noise; or equal to the
    #: latent `like`, as a function of the parameters at fixed conditional noise.
    condition = _NOT_RELAXED
    #: ``relax(z, temperature)``: a smooth H.
    relax = _NOT_RELAXED
    #: ``separate(x, gap)``: the location, moved so that x leads by at least `gap`.
    separate = _NOT_RELAXED
    #: ``latent()``: the distribution of the latent.
    latent = _NOT_RELAXED

    #: ``scores()``: natural parameters θ; log p(x) is θ·x but for a constant. ``decide(scores)``
    #: is the x of the largest scores·x; scores with Gumbel noise decide about perturb-and-MAP
    #: samples.
    scores: Any = unsupported("scores", "its log-probability is not a product with the value")
    decide: Any = scores

    def __repr__(self) -> str:
        given = ", ".join(f"{k}={v!r}" for k, v in self.parameters.items())
        return f"{type(self).__name__}({given})"


def _recorded(result: Any, *used: tuple[Distribution, Any]) -> Any:
    """A result, recorded in its graph as a density, entropy or divergence of distributions."""
    if isinstance(result, Expr) and result not in result.graph.densities:
        graph = result.graph

        def node(value: Any) -> Expr:
            return value if isinstance(value, Expr) else constant(graph, value)

        graph.densities[result] = tuple(
            Density(
                type(dist),
                dist.static,
                tuple(map(node, dist.parameters.values())),
                None if value is None else node(value),
            )
            for dist, value in used
        )
    return result


def check_same(this: Distribution, other: Any) -> None:
    """Raise unless both arguments of a divergence belong to one family."""
    if type(this) is not type(other):
        raise UnsupportedError(
            f"kl({type(this).__name__}, {type(other).__name__}) has no closed form here; "
            "write it as log_prob of one minus log_prob of the other"
        )
