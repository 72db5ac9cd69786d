"""Protocols for type checkers: noise, and the distributions that estimators require."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable


class Noise(Protocol):
    """The source of randomness of :meth:`Distribution.sample`.

    A tag names one request; two requests of one tag receive the same noise.
    """

    def uniform(self, shape: tuple[int, ...], tag: str = "u") -> Any:
        """Uniforms on the open unit interval."""
        ...

    def normal(self, shape: tuple[int, ...], tag: str = "n") -> Any:
        """Standard normals."""
        ...


class Discrete(Protocol):
    """Independent discrete variables with a table of probabilities."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Event shape of one sample."""
        ...

    @property
    def probs(self) -> Any:
        """Probability of the value 1 (:class:`Binary`), or of each class (:class:`Classes`)."""
        ...

    def sample(self, noise: Noise) -> Any:
        """Sample, a deterministic function of noise."""
        ...

    def log_prob(self, x: Any, elementwise: bool = False, mask: Any = None) -> Any:
        """Log-probability of `x`, summed over the event unless `elementwise`."""
        ...

    def prob_elementwise(self, x: Any) -> Any:
        """Probability of each independent variable's value."""
        ...

    def coordinate_values(self) -> Any:
        """All values of one variable, on a leading axis."""
        ...

    def location(self, probs: Any = None) -> Any:
        """Logits, or log-probabilities of classes, of finite size."""
        ...


@runtime_checkable
class Binary(Discrete, Protocol):
    """Independent binary variables: the requirement "binary values" of estimators.

    `Bernoulli` is the only such distribution; `shape` is the shape of its probabilities.
    """

    @property
    def logits(self) -> Any:
        """log p − log(1 − p)."""
        ...


@runtime_checkable
class Classes(Discrete, Protocol):
    """Independent variables of C classes: the requirement "classes" of estimators.

    `OneHotCategorical` and `Categorical` differ in the value alone, which `of_index` makes.
    """

    @property
    def classes(self) -> int:
        """Number C of classes, the length of the last axis of the probabilities."""
        ...

    @property
    def batch_shape(self) -> tuple[int, ...]:
        """Shape of the variables, without the axis of classes."""
        ...

    @property
    def log_probs(self) -> Any:
        """Normalised log-probabilities, classes last."""
        ...

    @property
    def finite_log_probs(self) -> Any:
        """`log_probs` of which none is less than −80."""
        ...

    def of_index(self, index: Any) -> Any:
        """The value whose class is `index`, an integer for each variable."""
        ...
