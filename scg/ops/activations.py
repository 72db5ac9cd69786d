"""Activations, composed of ops that are continuous in their argument."""

from __future__ import annotations

from typing import Any

from scg.errors import DeclarationError
from scg.ops.elementwise import expm1, log, log1p, maximum, minimum, sigmoid, softplus, subtract
from scg.ops.special import ndtr


def log_sigmoid(x: Any) -> Any:
    """log σ(x) = −softplus(−x); unlike ``np.log(scg.sigmoid(x))`` it does not underflow."""
    return -softplus(-x)


def logit(p: Any) -> Any:
    """log p − log(1 − p), the inverse of the sigmoid."""
    return subtract(log(p), log1p(-p))


def leaky_relu(x: Any, slope: float = 0.01) -> Any:
    """x where it is positive, slope · x elsewhere; 0 ≤ slope ≤ 1."""
    if not 0 <= slope <= 1:
        raise DeclarationError(f"leaky_relu: slope must be between 0 and 1, got {slope!r}")
    return maximum(x, slope * x)


def elu(x: Any, alpha: float = 1.0) -> Any:
    """x where it is positive, α (exp(x) − 1) elsewhere (Clevert et al. 2016)."""
    return maximum(x, 0.0) + alpha * expm1(minimum(x, 0.0))


def gelu(x: Any) -> Any:
    """x Φ(x), with Φ the standard normal CDF (Hendrycks and Gimpel 2016)."""
    return x * ndtr(x)


def silu(x: Any) -> Any:
    """x σ(x), with σ the sigmoid."""
    return x * sigmoid(x)
