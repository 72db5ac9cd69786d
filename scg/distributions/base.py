"""What a distribution is. It knows no graph: its methods are NumPy notation on its parameters."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from scg.arguments import constructor
from scg.distributions.constraints import Constraint, check
from scg.distributions.protocols import Noise
from scg.distributions.values import check_shapes, check_value, on_support
from scg.errors import DeclarationError, UnsupportedError
from scg.ir.expr import Expr
from scg.ir.op import constant
from scg.ir.plate import ordered
from scg.ops.elementwise import exp
from scg.ops.reductions import expand, sum
from scg.ops.statistics import prod


def unsupported(what: str, why: str = "") -> Callable[..., Any]:
    """Declare an optional method that a distribution lacks, and why; that is a trait."""

    def method(self: Distribution, *args: Any, **kwargs: Any) -> Any:
        reason = f": {why}" if why else ""
        raise UnsupportedError(f"{type(self).__name__} has no {what}{reason}")

    method.unsupported = why or what  # type: ignore[attr-defined]
    return method


def closed_form(formula: str, method: Callable[..., Any]) -> Callable[..., Any]:
    """Return a method of one expression, documented by its formula."""
    method.__doc__ = f"{formula}."
    return method


#: Where log-probabilities of latents end: exp(±FAR) is a normal number in single precision.
FAR = 80.0

_NOT_RELAXED = unsupported("relaxation", "only laws of a step or an argmax of a latent have one")


class Distribution:
    """Base class of all distributions.

    A distribution stores its parameters, which are numbers, arrays or nodes; with numbers and
    arrays its methods return arrays, with nodes they return nodes.

    Attributes
    ----------
    parameters : dict
        The parameters given, by name, in the order of the constructor.
    static : tuple
        Options that are not parameters; with the parameters' names they rebuild the distribution.
    shape : tuple of int
        The event shape of one draw.
    constraints : mapping
        What each parameter must be, by name; numbers are checked by the constructor.
    support : Constraint
        Where draws lie.
    kind : {"float", "int"}
        What a draw is.
    reparameterized : bool
        Whether `sample` is differentiable in the parameters (pathwise).
    extends_to_mean : bool
        Whether `log_prob` extends to the mean, as a mean-field pass needs.
    whole : bool
        Whether `log_prob` takes values of the event shape alone, and none that broadcasts with it.
    """

    kind = "float"
    reparameterized = False
    extends_to_mean = False
    whole = False
    constraints: Mapping[str, Constraint]
    support: Any
    parameters: dict[str, Any]
    shape: tuple[int, ...]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.__init__ = constructor(cls, DeclarationError)

    def declare(self, **given: Any) -> None:
        """Store the parameters, check those that are numbers, and let the event broadcast."""
        family = type(self).__name__
        self.parameters = {name: numeric(value) for name, value in given.items()}
        self.check_numbers()
        self.shape = joint_shape(family, **self.parameters)

    def check_numbers(self) -> None:
        """Check the parameters that are numbers."""
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
        """Names of the parameters given."""
        return tuple(self.parameters)

    @classmethod
    def rebuild(cls, values: tuple[Any, ...], static: tuple[Any, ...]) -> Any:
        """Make the distribution anew on other parameter values."""
        return cls(**dict(zip(static, values, strict=True)))

    @classmethod
    def supports(cls, method: str) -> bool:
        """Whether an optional method is there."""
        return not cls.lacks(method)

    @classmethod
    def lacks(cls, method: str) -> str:
        """Say why an optional method is not there; an empty string if it is."""
        return getattr(getattr(cls, method), "unsupported", "")

    @property
    def uniforms(self) -> tuple[int, ...]:
        """Shape of the uniforms that `coupling` takes."""
        return self.shape

    def coupling(self, u: Any) -> Any:
        """Return the draw that uniforms make: the quantile; for vectors, one value after the other.

        Two laws whose draws are made of the same uniforms are coupled.
        """
        return self.quantile(u)

    def sample(self, noise: Noise) -> Any:
        """Draw a value as a deterministic function of noise: the coupling of uniforms."""
        return self.coupling(noise.uniform(self.uniforms))

    def log_prob(self, x: Any, elementwise: bool = False, mask: Any = None) -> Any:
        """Log of the density or probability at `x`, summed over the event.

        Parameters
        ----------
        x : array_like or node
            The value. Where it lies outside the support, the result is −∞ and its derivative zero.
        elementwise : bool
            Do not sum over the independent elements of the event.
        mask : array_like or node, optional
            True where there is a value: a scalar, or of the shape of the elementwise result. What
            is not there contributes zero, also to derivatives, whatever `x` holds.

        Raises
        ------
        DeclarationError
            If the shapes do not fit, or if a sum over the event would count elements repeatedly.
        """
        check_value(self, x, elementwise)
        values = self.log_prob_on_support(x, mask)
        return values if elementwise else sum(values)

    def log_prob_on_support(self, x: Any, mask: Any = None) -> Any:
        """Elementwise log-probability, −∞ outside the support, and zero where nothing is."""
        return on_support(self, x, mask)

    @property
    def fill(self) -> Any:
        """Numbers of a value at which the log-probability has finite derivatives."""
        return self.support.inside

    def log_prob_elementwise(self, x: Any) -> Any:
        """Log of the density or probability of each independent element of the event."""
        raise NotImplementedError

    def prob(self, x: Any) -> Any:
        """Probability or density of the event; leading axes of `x` are kept.

        Where the support is finite its derivative is finite too, also at a probability of 0, where
        exp(log_prob) has 0 · ∞.
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
        return values if elementwise else sum(values)

    def kl(self, other: Any, elementwise: bool = False) -> Any:
        """Kullback-Leibler divergence from this law to another of its family, summed likewise."""
        check_same(self, other)
        check_shapes(f"kl of {type(self).__name__}", other, self.shape)
        values = self.kl_elementwise(other)
        return values if elementwise else sum(values)

    #: The inverse of the distribution function, elementwise.
    quantile = unsupported("quantile function", "vectors are not ordered; see `coupling`")
    mean = unsupported("mean")
    variance = unsupported("variance")
    mode = unsupported("mode")
    entropy_elementwise = unsupported("entropy in closed form")
    kl_elementwise = unsupported("Kullback-Leibler divergence in closed form")
    #: All values of the event, stacked on a leading axis; needs a finite support.
    enumerate_support = unsupported("finite support", "infinitely many values")
    #: Number of values of the event.
    cardinality = unsupported("finite support", "infinitely many values")
    #: Signed parts (parameter, constant, positive draw, negative draw) of the law's derivatives in
    #: the parameters `weak_parameters`, given the draw x.
    weak_derivatives = unsupported("measure-valued derivative", "no decomposition is published")
    #: The parameters whose derivatives have such parts.
    weak_parameters: tuple[str, ...] = ()
    #: All values of one coordinate, stacked on a leading axis; the coordinates are independent.
    coordinate_values = unsupported(
        "independent coordinates with finitely many values", "infinitely many values"
    )
    #: The probabilities of those values for each coordinate, values on the last axis.
    coordinate_probs = unsupported(
        "independent coordinates with finitely many values", "infinitely many values"
    )
    # A relaxation: x = H(z) for a latent z = location + perturbation, H a step or an argmax. They
    # are finite: a probability below exp(−FAR) counts as exp(−FAR), which is never drawn either.
    #: ``location(probs=None)``: the latent without its perturbation, or that of other `probs`.
    location = _NOT_RELAXED
    #: ``perturbation(x, noise)``: parameter-free in law; x is what `sample` makes of the noise.
    perturbation = _NOT_RELAXED
    #: ``condition(x, noise, like=None)``: the latent given x, on noise of its own; or with the
    #: value of the latent `like`, as a function of the parameters at fixed conditional noise.
    condition = _NOT_RELAXED
    #: ``relax(z, temperature)``: a smooth H.
    relax = _NOT_RELAXED
    #: ``separate(x, gap)``: the location moved so that x leads by `gap` at least.
    separate = _NOT_RELAXED
    #: The law of the latent, a distribution.
    latent = _NOT_RELAXED

    def __repr__(self) -> str:
        given = ", ".join(f"{k}={v!r}" for k, v in self.parameters.items())
        return f"{type(self).__name__}({given})"


class Finite(Distribution):
    """A law of independent coordinates with finitely many values, by default the elements."""

    weak_derivatives = unsupported(
        "measure-valued derivative", "a part at each value of a coordinate instead"
    )

    def coordinate_values(self) -> np.ndarray:
        """All values of one coordinate."""
        raise NotImplementedError

    def coordinate_probs(self) -> Any:
        """Their probabilities, on a last axis."""
        raise NotImplementedError

    def cardinality(self) -> int:
        """The number of values of a coordinate, to the number of coordinates."""
        return len(self.coordinate_values()) ** math.prod(self.shape)

    def enumerate_support(self) -> np.ndarray:
        """All arrays of those values, shape (cardinality, *shape)."""
        values = self.coordinate_values()
        rows = list(itertools.product(values, repeat=math.prod(self.shape)))
        return np.array(rows, dtype=values.dtype).reshape(len(rows), *self.shape)


class Joint(Distribution):
    """A law whose elements depend on each other."""

    coordinate_values = unsupported(
        "independent coordinates with finitely many values", "its elements depend on each other"
    )
    coordinate_probs = coordinate_values
    weak_derivatives = unsupported("measure-valued derivative", "its elements depend on each other")


def numeric(value: Any) -> Any:
    """Return a parameter as a node or an array of floats."""
    return value if isinstance(value, Expr) else np.asarray(value, dtype=float)


def one_of(family: str, **given: Any) -> dict[str, Any]:
    """Return the one parameter that was given, for families with two parametrisations."""
    chosen = {name: numeric(value) for name, value in given.items() if value is not None}
    if len(chosen) != 1:
        options = " or ".join(f"{name}=" for name in given)
        raise DeclarationError(
            f"{family}: give exactly one of {options}, got {', '.join(chosen) or 'none'}"
        )
    return chosen


def joint_shape(family: str, **parameters: Any) -> tuple[int, ...]:
    """Event shape of a distribution whose parameters broadcast elementwise."""
    try:
        return np.broadcast_shapes(*(np.shape(value) for value in parameters.values()))
    except ValueError as error:
        shapes = ", ".join(f"{name} {np.shape(value)}" for name, value in parameters.items())
        raise DeclarationError(f"{family}: parameter shapes do not broadcast: {shapes}") from error


def check_same(this: Distribution, other: Any) -> None:
    """Raise unless both arguments of a divergence are of one family."""
    if type(this) is not type(other):
        raise UnsupportedError(
            f"kl({type(this).__name__}, {type(other).__name__}) has no closed form here; "
            "write it as log_prob of one minus log_prob of the other"
        )
