"""Persistent evolution strategies: parameters that are perturbed once a window."""

from __future__ import annotations

from scg.errors import EstimatorError
from scg.estimators.protocol import Estimator
from scg.estimators.truncation import Truncation


class PES(Truncation):
    """Persistent evolution strategies: the model is a black box, run with perturbed parameters.

    In each window a particle runs with the parameters θ + ε, ε ~ N(0, σ² I), from the state that it
    left in the window before. Its cost L in window i is credited with all its perturbations so far,

        g = Σ_i ξ_i L_i / σ²,    ξ_i = Σ_{j ≤ i} ε_j,

    in the mean over antithetic pairs ±ε, which share all other noise. With ``stream=True`` and
    parameters that stay, the sum over windows is unbiased for the cost smoothed by an *independent*
    perturbation a window, and ``out.cost`` estimates that cost. Plain evolution strategies, in
    contrast, keep one perturbation for the whole sequence, which is what a single call does here.
    No derivative of the model is taken: use it where costs jump, or where derivatives explode. Its
    variance grows with the number of parameters; where derivatives exist, prefer :class:`RTRL` or
    :class:`UORO`. First derivatives only.

    Parameters
    ----------
    sigma : float
        Standard deviation of the perturbation of each number, of unconstrained parameters.
    pairs : int
        Antithetic pairs of particles, each with a state of its own.

    Examples
    --------
    The gradient of the smoothed cost (θ + ε)² is 2 θ:

    >>> import scg
    >>> g, steps = scg.Graph("square"), scg.Time("t", length=1)
    >>> theta = g.parameter("theta", 0.5)
    >>> def cell(h):
    ...     g.cost("c", (h + theta) ** 2)
    ...     return h + theta
    >>> last = g.scan(cell, init=0.0, over=steps)
    >>> step = scg.compile(g, truncate=scg.PES(sigma=0.1, pairs=4), stream=True)
    >>> out = step({"theta": 0.5}, seed=0, runs=10_000)
    >>> bool(abs(out.grads["theta"] - 1.0) < 4 * out.stderr["theta"])
    True

    References
    ----------
    Vicol et al. (2021).
    """

    cites = ("vicol2021",)
    objective = "the smoothed cost"
    loops = True
    unrolls = False
    words = (
        "parameters are perturbed once a window, and costs are credited with all perturbations so "
        "far: the gradient is that of the smoothed cost"
    )

    def __init__(self, sigma: float, pairs: int = 1):
        if not sigma > 0:
            raise EstimatorError(f"PES: sigma must be positive, got {sigma!r}")
        self.sigma, self.pairs = float(sigma), int(pairs)


class BlackBox(Estimator):
    """A sample without credit, below perturbed parameters."""

    credit = "along"
    suggested = False
