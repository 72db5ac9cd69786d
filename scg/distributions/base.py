"""What a distribution is. It knows no graph: its methods are NumPy notation on its parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from scg.errors import DeclarationError, UnsupportedError
from scg.expr import Expr
from scg.ops.reductions import sum


class Noise(Protocol):
    """Where a draw takes its randomness from."""

    def uniform(self, shape: tuple[int, ...], tag: str = "u") -> Any:
        """Return uniforms on the open unit interval."""
        ...

    def normal(self, shape: tuple[int, ...], tag: str = "n") -> Any:
        """Return standard normals."""
        ...


def unsupported(what: str) -> Callable[..., Any]:
    """Declare an optional method that a distribution lacks; that it lacks it is a trait."""

    def method(self: Distribution, *args: Any, **kwargs: Any) -> Any:
        raise UnsupportedError(f"{type(self).__name__} has no {what}")

    method.unsupported = True  # type: ignore[attr-defined]
    return method


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
    kind : {"float", "int"}
        What a draw is.
    reparameterized : bool
        Whether `sample` is differentiable in the parameters (pathwise).
    extends_to_mean : bool
        Whether `log_prob` extends to the mean, as a mean-field pass needs.
    """

    kind = "float"
    reparameterized = False
    extends_to_mean = False
    parameters: dict[str, Any]
    shape: tuple[int, ...]

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
        return not getattr(getattr(cls, method), "unsupported", False)

    def sample(self, noise: Noise) -> Any:
        """Draw a value as a deterministic function of uniform or normal noise."""
        raise NotImplementedError

    def log_prob(self, x: Any, elementwise: bool = False) -> Any:
        """Log of the density or probability at `x`, summed over the event."""
        values = self.log_prob_elementwise(x)
        return values if elementwise else sum(values)

    def log_prob_elementwise(self, x: Any) -> Any:
        """Log of the density or probability of each independent element of the event."""
        raise NotImplementedError

    def entropy(self, elementwise: bool = False) -> Any:
        """Entropy, summed over the event."""
        values = self.entropy_elementwise()
        return values if elementwise else sum(values)

    def kl(self, other: Any, elementwise: bool = False) -> Any:
        """Kullback-Leibler divergence from this law to another of its family, summed likewise."""
        check_same(self, other)
        values = self.kl_elementwise(other)
        return values if elementwise else sum(values)

    mean = unsupported("mean")
    variance = unsupported("variance")
    mode = unsupported("mode")
    entropy_elementwise = unsupported("entropy in closed form")
    kl_elementwise = unsupported("Kullback-Leibler divergence in closed form")
    #: All values of the event, stacked on a leading axis; needs a finite support.
    enumerate_support = unsupported("finite support")
    #: Number of values of the event.
    cardinality = unsupported("finite support")

    def __repr__(self) -> str:
        given = ", ".join(f"{k}={v!r}" for k, v in self.parameters.items())
        return f"{type(self).__name__}({given})"


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
