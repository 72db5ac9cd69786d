"""Truncation: how far credit goes back in time along a scan, as an option of ``scg.compile``.

At each boundary between two steps credit is multiplied by a factor m that is 0 at a cut.
:mod:`scg.compiler.truncation` puts the factors in.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scg.common.arguments import Checked, kind
from scg.errors import EstimatorError
from scg.ir.expr import Expr
from scg.ops.elementwise import where


@kind("a truncation such as scg.ARTBP(mean=16)")
class Truncation(Checked):
    """How credit passes from step to step of a scan, if not by backpropagation through all of them.

    Attributes
    ----------
    unbiased : bool
        Whether the mean of the estimate is the gradient.
    cites : tuple of str
        Keys of ``references.bib``.
    words : str
        What happens to the credit, for explanations.
    objective : str
        The cost of which the mean of the estimate is the gradient, if not the declared one.
    loops : bool
        Whether a step must run scans as loops.
    unrolls : bool
        Whether the unrolled graph has the same estimate, so that its moments can be computed there.
    """

    unbiased: bool = True
    loops: bool = False
    unrolls: bool = True
    objective: str = ""
    allow_biased: bool = False
    cites: tuple[str, ...] = ()
    words: str = ""


class Cutting(Truncation):
    """The factor of credit at each boundary between two steps of a scan.

    It is unbiased if each factor has the mean 1 given those of the boundaries before.
    """

    words = "credit from step to step is multiplied by a factor"

    def factor(self, age: Expr, u: Expr) -> Expr:
        """The factor, 0 at a cut.

        Parameters
        ----------
        age : Expr
            Number of steps since the last cut or the first step, at least 1.
        u : Expr
            Uniform noise of the boundary.
        """
        raise NotImplementedError


class Truncated(Cutting):
    """Truncated backpropagation: credit stays in windows of k steps. Biased.

    The factor is 0 at every k-th boundary and 1 at the others. Use it to see what truncation does,
    or where it is known that influence fades within k steps; otherwise use :class:`ARTBP`, which is
    unbiased. It is no way to save memory: a step still runs whole sequences.

    Parameters
    ----------
    k : int
        Length of a window, at least 1. From the length of the sequence on, nothing is cut.
    allow_biased : bool
        Whether to compile without a :class:`BiasWarning`.

    Examples
    --------
    >>> import scg
    >>> g, steps = scg.Graph("sum"), scg.Time("t", length=4)
    >>> a = g.parameter("a", 1.0)
    >>> def cell(h):
    ...     g.cost("c", h + a)
    ...     return h + a
    >>> last = g.scan(cell, init=0.0, over=steps)
    >>> for k in 4, 2, 1:
    ...     step = scg.compile(g, truncate=scg.Truncated(k, allow_biased=True), backend="numpy")
    ...     print(step({"a": 1.0}, seed=0).grads["a"])
    10.0
    6.0
    4.0
    """

    unbiased = False
    words = f"{Cutting.words} 0 or 1: BIASED"

    def __init__(self, k: int, allow_biased: bool = False):
        self.k = int(k)
        self.allow_biased = allow_biased

    def factor(self, age: Expr, u: Expr) -> Expr:
        """0 after k steps."""
        return where(age < self.k, 1.0, 0.0)


class ARTBP(Cutting):
    """Truncation at random with factors that make up for it. Unbiased.

    At a boundary X ~ Bernoulli(c) decides about a cut, and credit is multiplied by
    m = (1 − X)/(1 − c), whose mean is 1. The factors are independent of everything that is sampled,
    so that the product along each path from a parameter to a cost has the mean 1. Unlike
    :class:`Truncated` it is right for any influence, for which it pays with variance: m has the
    second moment 1/(1 − c). The variance stays bounded in the length of the sequence only where
    credit decays faster than √(1 − c) a step, or with a `tail`. First derivatives only.

    Parameters
    ----------
    mean : float
        Mean number of steps between cuts, above 1. With 1/c of it all boundaries are alike.
    tail : float, optional
        A number a above 2: the chance of a cut falls with the number l of steps since the last
        one, c = (a − 1)/((a − 2) mean + l). Segments of at least l steps then have a probability
        of order l^(1 − a), and factors grow like a power of the distance, not exponentially.

    Examples
    --------
    >>> import scg
    >>> g, steps = scg.Graph("sum"), scg.Time("t", length=4)
    >>> a = g.parameter("a", 1.0)
    >>> def cell(h):
    ...     g.cost("c", h + a)
    ...     return h + a
    >>> last = g.scan(cell, init=0.0, over=steps)
    >>> step = scg.compile(g, truncate=scg.ARTBP(mean=2.0), backend="numpy")
    >>> round(float(scg.moments(step, {"a": 1.0}).mean["a"]), 10)
    10.0

    References
    ----------
    Tallec and Ollivier (2017).
    """

    cites = ("tallec2017",)
    words = f"{Cutting.words} of mean 1"

    def __init__(self, mean: float, tail: float | None = None):
        if not mean > 1:
            raise EstimatorError(f"ARTBP: mean must be above 1, got {mean!r}")
        if tail is not None and not tail > 2:
            raise EstimatorError(f"ARTBP: tail must be above 2, or None, got {tail!r}")
        self.mean, self.tail = float(mean), tail

    def factor(self, age: Expr, u: Expr) -> Expr:
        """0 with the chance of a cut, else 1/(1 − c)."""
        c = self._chance(age)
        return where(u < c, 0.0, 1 / (1 - c))

    def segment(self, rng: np.random.Generator) -> int:
        """Number of steps from one cut to the next: the length of a window of a stream.

        A step with ``stream=True`` multiplies by 1/(1 − c) at each boundary inside of a window, so
        that windows of these lengths, and no others, are unbiased.
        """
        steps = 1
        while rng.random() >= self._chance(steps):
            steps += 1
        return steps

    def _chance(self, age: Any) -> Any:
        """c after a number of steps."""
        a = self.tail
        return 1 / self.mean if a is None else (a - 1) / ((a - 2) * self.mean + age)
