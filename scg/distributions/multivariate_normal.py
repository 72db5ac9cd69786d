"""Normal vectors with a covariance given by a Cholesky factor, a diagonal, or in low rank."""

from __future__ import annotations

from typing import Any

import numpy as np

from scg.distributions import constraints as sets
from scg.distributions.base import closed_form
from scg.distributions.finite import Joint
from scg.distributions.given import parameters_of
from scg.distributions.normal import Normal
from scg.distributions.protocols import Noise
from scg.errors import DeclarationError
from scg.ops.arrange import diag, diagonal
from scg.ops.decompositions import cholesky, solve_triangular, t
from scg.ops.elementwise import log, sqrt, square
from scg.ops.gradient import graft, held
from scg.ops.indexing import getitem
from scg.ops.linalg import matmul
from scg.ops.reductions import sum
from scg.ops.special import HALF_LOG_2PI, ndtri


class MultivariateNormal(Joint):
    """Normal vector with correlated elements.

    For uncorrelated elements :class:`Normal` is the same distribution with an elementwise
    log-density. `scale_tril` is a factor of the covariance, not the covariance.

    Parameters
    ----------
    loc : array_like or node
        Mean μ, shape (d,): the event shape.
    scale_tril : array_like or node, optional
        Lower triangular L with positive diagonal, shape (d, d): the covariance is Σ = L Lᵀ.
    scale_diag : array_like or node, optional
        Standard deviations, shape (d,).
    cov_factor, cov_diag : array_like or node, optional
        F, shape (d, r), and D > 0, shape (d,): the covariance is Σ = F Fᵀ + diag(D).

    Raises
    ------
    DeclarationError
        Unless exactly one of the three forms is given, with shapes that fit.

    Notes
    -----
    log p(x; μ, Σ) = −½ (x − μ)ᵀ Σ⁻¹ (x − μ) − ½ log det 2πΣ. Pathwise: x = μ + L ε, or μ + F ε + √D
    η. The low rank costs O(d r²), by the matrix determinant lemma and Woodbury's identity with the
    capacitance I + Fᵀ D⁻¹ F.

    Examples
    --------
    >>> import scg
    >>> scg.MultivariateNormal([0.0, 0.0], scale_tril=[[1.0, 0.0], [0.5, 2.0]]).covariance()
    array([[1.  , 0.5 ],
           [0.5 , 4.25]])
    """

    reparameterized = True
    extends_to_mean = True
    whole = True
    support = sets.real_vector
    constraints = sets.of(
        loc=sets.real,
        scale_tril=sets.lower_cholesky,
        scale_diag=sets.positive,
        cov_factor=sets.real,
        cov_diag=sets.positive,
    )

    def __init__(
        self,
        loc: Any,
        *,
        scale_tril: Any = None,
        scale_diag: Any = None,
        cov_factor: Any = None,
        cov_diag: Any = None,
    ):
        given = {
            "scale_tril": scale_tril,
            "scale_diag": scale_diag,
            "cov_factor": cov_factor,
            "cov_diag": cov_diag,
        }
        given = {name: value for name, value in given.items() if value is not None}
        if tuple(given) not in (("scale_tril",), ("scale_diag",), ("cov_factor", "cov_diag")):
            raise DeclarationError(
                "MultivariateNormal: give scale_tril=, or scale_diag=, or cov_factor= with "
                f"cov_diag=, got {', '.join(given) or 'none'}"
            )
        self.parameters = parameters_of("MultivariateNormal", loc=loc, **given)
        self.shape = np.shape(self.parameters["loc"])
        self._check_shapes()
        self.check_numbers()
        self.loc = self.parameters["loc"]

    def _check_shapes(self) -> None:
        if len(self.shape) != 1:
            raise DeclarationError(
                f"MultivariateNormal: loc must be a vector, got shape {self.shape}; "
                "what repeats is a plate"
            )
        (d,) = self.shape
        wanted = {"scale_tril": (d, d), "scale_diag": (d,), "cov_diag": (d,)}
        for name, value in self.parameters.items():
            shape = np.shape(value)
            fits = shape == wanted.get(name, shape)
            if not fits or (name == "cov_factor" and (len(shape) != 2 or shape[0] != d)):
                raise DeclarationError(
                    f"MultivariateNormal: {name} has shape {shape}, which does not fit "
                    f"loc of shape {self.shape}"
                )

    def _form(self) -> str:
        return list(self.parameters)[1]

    def sample(self, noise: Noise) -> Any:
        """μ + L ε, or μ + F ε + √D η."""
        values, n = self.parameters, noise.normal(self.shape)
        if self._form() == "scale_tril":
            return self.loc + matmul(values["scale_tril"] * np.tri(self.shape[0]), n)
        if self._form() == "scale_diag":
            return self.loc + values["scale_diag"] * n
        rank = np.shape(values["cov_factor"])[-1]
        low = matmul(values["cov_factor"], noise.normal((rank,), "f"))
        return self.loc + low + sqrt(values["cov_diag"]) * n

    def coupling(self, u: Any) -> Any:
        """μ + L Φ⁻¹(u) with the Cholesky factor L: quantiles given the elements before."""
        return self.loc + matmul(self._tril(), ndtri(u))

    def conditional(self, d: int, before: Any) -> Normal:
        """Normal(μ_d + Σ L_dj ε_j, L_dd), with ε the noise of the elements before."""
        factor = self._tril()
        loc, scale = getitem(self.loc, d), getitem(factor, (d, d))
        if d:
            first = slice(0, d)
            residual = before - getitem(self.loc, first)
            noise = solve_triangular(getitem(factor, (first, first)), residual)
            loc = loc + sum(getitem(factor, (d, first)) * noise)
        return Normal(loc, scale)

    def opened(self, x: Any) -> Any:
        """μ + L ε at fixed ε, with the Cholesky factor L."""
        factor = self._tril()
        return graft(x, self.loc + matmul(factor, held(solve_triangular(factor, x - self.loc))))

    def log_prob_elementwise(self, x: Any) -> Any:
        """−½ (x − μ)ᵀ Σ⁻¹ (x − μ) − ½ log det 2πΣ; one value for the vector."""
        residual, values = x - self.loc, self.parameters
        if self._form() == "scale_tril":
            distance = sum(square(solve_triangular(values["scale_tril"], residual)))
        elif self._form() == "scale_diag":
            distance = sum(square(residual / values["scale_diag"]))
        else:
            scaled = residual / values["cov_diag"]
            shared = solve_triangular(self._capacitance(), matmul(t(values["cov_factor"]), scaled))
            distance = sum(residual * scaled) - sum(square(shared))
        return -0.5 * distance - self._half_log_det() - self.shape[0] * HALF_LOG_2PI

    def _capacitance(self) -> Any:
        """Cholesky factor of I + Fᵀ D⁻¹ F."""
        factor = self.parameters["cov_factor"]
        weighted = factor / getitem(self.parameters["cov_diag"], (slice(None), None))
        return cholesky(matmul(t(factor), weighted) + np.eye(np.shape(factor)[-1]))

    def _half_log_det(self) -> Any:
        values = self.parameters
        if self._form() == "scale_tril":
            return sum(log(diagonal(values["scale_tril"], 0, -2, -1)))
        if self._form() == "scale_diag":
            return sum(log(values["scale_diag"]))
        return 0.5 * sum(log(values["cov_diag"])) + sum(
            log(diagonal(self._capacitance(), 0, -2, -1))
        )

    def _tril(self) -> Any:
        """A Cholesky factor of the covariance."""
        if self._form() == "scale_tril":
            return self.parameters["scale_tril"] * np.tri(self.shape[0])
        if self._form() == "scale_diag":
            return diag(self.parameters["scale_diag"])
        return cholesky(self.covariance())

    def covariance(self) -> Any:
        """Σ, shape (d, d)."""
        if self._form() == "cov_factor":
            factor = self.parameters["cov_factor"]
            return matmul(factor, t(factor)) + diag(self.parameters["cov_diag"])
        factor = self._tril()
        return matmul(factor, t(factor))

    mean = closed_form("μ", lambda d: d.loc)

    def variance(self) -> Any:
        """Diagonal of Σ."""
        values = self.parameters
        if self._form() == "scale_diag":
            return square(values["scale_diag"])
        if self._form() == "scale_tril":
            return sum(square(self._tril()), -1)
        return sum(square(values["cov_factor"]), -1) + values["cov_diag"]

    mode = closed_form("μ", lambda d: d.loc)

    def entropy_elementwise(self) -> Any:
        """½ log det 2πeΣ."""
        return self._half_log_det() + self.shape[0] * (HALF_LOG_2PI + 0.5)

    def kl_elementwise(self, other: Any) -> Any:
        """½ (tr(S⁻¹Σ) + (μ − m)ᵀ S⁻¹ (μ − m) − d) + ½ log det S / det Σ against N(m, S)."""
        factor = other._tril()
        spread = sum(square(solve_triangular(factor, self._tril())))
        distance = sum(square(solve_triangular(factor, self.loc - other.loc)))
        log_ratio = other._half_log_det() - self._half_log_det()
        return 0.5 * (spread + distance - self.shape[0]) + log_ratio
