"""Quadrature: rules and variables for one element of noise.

An element x is a function T(t) of t in (0, 1) that gathers points where integrands are singular:
at both ends for a uniform, far out for a normal. A panel [a, b] of t is integrated by a pair of
Gauss and Kronrod rules, whose points are moved aside so that they share no symmetry.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import betainc, betaincinv, betaln, expit, logit, ndtr

GOLDEN = (3.0 - 5.0**0.5) / 2.0
_POWER = 4  # t⁴ (1 − t)⁴ is the density of the points of a uniform
_WIDTH = 2.0  # of the logistic density of the points of a normal
_OUT = 8.4  # trapezoids end near 9
_BEND = 0.05
#: Nodes, from the outermost to the middle, with the weights of both rules.
_KRONROD = [
    (0.991455371120812640, 0.022935322010529225, 0.0),
    (0.949107912342758525, 0.063092092629978553, 0.129484966168869693),
    (0.864864423359769073, 0.104790010322250184, 0.0),
    (0.741531185599394440, 0.140653259715525919, 0.279705391489276668),
    (0.586087235467691130, 0.169004726639267903, 0.0),
    (0.405845151377397167, 0.190350578064785410, 0.381830050505118945),
    (0.207784955007898468, 0.204432940075298892, 0.0),
]
_SAFETY = 4.0


class Integral(NamedTuple):
    """Expected outputs, their expected sizes and bounds on the error, each (rows, outputs)."""

    value: np.ndarray
    size: np.ndarray
    error: np.ndarray


class Nodes(NamedTuple):
    """Rules on panels: points, weights of both rules, and whether points were moved inside."""

    x: np.ndarray
    share: np.ndarray
    rival: np.ndarray
    clipped: np.ndarray


class Rule(NamedTuple):
    """Points, weights, and weights of the rule that it is compared with."""

    points: np.ndarray
    weights: np.ndarray
    rival: np.ndarray


def _panel() -> Rule:
    """Gauss-Kronrod (7, 15), as in QUADPACK, of a variable that is bent aside."""
    half = np.array(_KRONROD)
    middle = np.array([[0.0, 0.209482141084727828, 0.417959183673469388]])
    x, weights, rival = np.concatenate([half * (-1, 1, 1), middle, half[::-1]]).T
    t = (1.0 + x) / 2.0
    slope = 1.0 + _BEND * (1.0 - 2.0 * t)
    return Rule(t + _BEND * t * (1.0 - t), weights * slope / 2.0, rival * slope / 2.0)


def _line() -> Rule:
    """Gauss-Hermite rules of 7 points and, moved aside, of 8, for polynomials of a normal."""
    x, w = np.polynomial.hermite_e.hermegauss(7)
    y, v = np.polynomial.hermite_e.hermegauss(8)
    shift = 0.1
    v = v * np.exp(-shift * y - shift**2 / 2.0)
    points = np.concatenate([x, y + shift])
    order = np.argsort(points)
    weights, rival = np.concatenate([0.0 * w, v]), np.concatenate([w, 0.0 * v])
    scale = np.sqrt(2.0 * np.pi)
    return Rule(points[order], weights[order] / scale, rival[order] / scale)


def _trapezoid(step: float) -> Rule:
    """Two trapezoidal rules for functions of a normal without near singularities.

    Their error falls as exp(−2π d/h) with the distance d of the nearest pole; the mean of both
    has half the step.
    """
    k = np.arange(round(-9.0 / step), round(9.0 / step))
    points = step * (np.concatenate([k, k + 0.5]) + 0.13)  # not symmetric
    weights = step * np.exp(-0.5 * points**2) / np.sqrt(2.0 * np.pi)
    first = np.arange(len(points)) < len(k)
    order = np.argsort(points)
    return Rule(points[order], weights[order] / 2.0, (weights * first)[order])


PANEL = _panel()
#: For the whole line of a normal, one after the other.
LINES = (_line(), _trapezoid(0.6), _trapezoid(0.3))
#: Where panels are looked over for kinks before a rule is first applied to them.
SCAN = np.concatenate([GOLDEN * PANEL.points, GOLDEN + (1.0 - GOLDEN) * PANEL.points])


class Law:
    """The variable of an element of noise, a function x = T(t)."""

    low, high, edge, attempts = 0.0, 1.0, (0.0, 1.0), 1

    def place(self, x: np.ndarray) -> np.ndarray:
        """Return the t of x."""
        raise NotImplementedError

    def moved(self, t: np.ndarray) -> np.ndarray:
        """Return the x of t."""
        raise NotImplementedError

    def density(self, t: np.ndarray) -> np.ndarray:
        """Return the probability density of t."""
        raise NotImplementedError

    def mass(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Return the probability between two t."""
        raise NotImplementedError

    def easy(self, a: np.ndarray, b: np.ndarray, number: int) -> Nodes:
        """Return cheap rules for entire functions of x, of which there are `attempts`."""
        raise NotImplementedError

    def smooth(self, a: np.ndarray, b: np.ndarray) -> Nodes:
        """Return rules for functions that may be singular at the ends of the range of x."""
        length = (b - a)[:, None]
        t = a[:, None] + length * PANEL.points
        density = self.density(t) * length
        x, clipped = self.value(t)
        return Nodes(x, density * PANEL.weights, density * PANEL.rival, clipped)

    def value(self, t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return x as programs see it, and whether it had to be moved inside."""
        x = self.moved(t)
        inside = np.clip(x, *self.edge)
        return inside, inside != x


class Uniform(Law):
    """dx/dt ∝ t⁴ (1 − t)⁴."""

    edge = (2.0**-53, 1.0 - 2.0**-53)  # uniforms are open

    def place(self, x: np.ndarray) -> np.ndarray:
        """Invert T."""
        return betaincinv(_POWER + 1, _POWER + 1, np.clip(x, 0.0, 1.0))

    def moved(self, t: np.ndarray) -> np.ndarray:
        """Integrate the density."""
        return betainc(_POWER + 1, _POWER + 1, t)

    def density(self, t: np.ndarray) -> np.ndarray:
        """Return dx/dt."""
        return (t * (1.0 - t)) ** _POWER / np.exp(betaln(_POWER + 1, _POWER + 1))

    def mass(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Return the difference of x."""
        return self.moved(b) - self.moved(a)

    def easy(self, a: np.ndarray, b: np.ndarray, number: int) -> Nodes:
        """Gauss and Kronrod, of x."""
        low, high = self.moved(a)[:, None], self.moved(b)[:, None]
        length = high - low
        x = np.clip(low + length * PANEL.points, *self.edge)
        return Nodes(x, length * PANEL.weights, length * PANEL.rival, np.zeros(x.shape, bool))


class Normal(Law):
    """x = s log(t / (1 − t))."""

    low, high = -np.inf, np.inf
    edge = (-12.0, 12.0)  # beyond it lies 4e-33 of the probability
    attempts = len(LINES)

    def place(self, x: np.ndarray) -> np.ndarray:
        """Invert T."""
        return expit(x / _WIDTH)

    def moved(self, t: np.ndarray) -> np.ndarray:
        """Return the logit, stretched."""
        return _WIDTH * logit(t)

    def density(self, t: np.ndarray) -> np.ndarray:
        """φ(x) dx/dt."""
        x = self.moved(t)
        inside = np.abs(x) < 40.0
        slope = _WIDTH / np.where(inside, t * (1.0 - t), 1.0) / np.sqrt(2.0 * np.pi)
        return np.where(inside, np.exp(-0.5 * np.where(inside, x, 0.0) ** 2) * slope, 0.0)

    def mass(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Return a difference of CDFs, on the side where they are small."""
        x, y = self.moved(a), self.moved(b)
        flip = x > 0.0
        return ndtr(np.where(flip, -x, y)) - ndtr(np.where(flip, -y, x))

    def easy(self, a: np.ndarray, b: np.ndarray, number: int) -> Nodes:
        """Gauss-Hermite, then trapezoids, on the whole line; there are none between other ends."""
        if not np.all((a == 0.0) & (b == 1.0)):
            return self.smooth(a, b)
        x, weights, rival = (np.tile(each, (len(a), 1)) for each in LINES[number])
        return Nodes(x, weights, rival, np.abs(x) > _OUT)


LAWS: dict[str, Law] = {"uniform": Uniform(), "normal": Normal()}


def error(high: np.ndarray, low: np.ndarray) -> np.ndarray:
    """Bound the error of the better of two rules by their difference."""
    return _SAFETY * np.abs(high - low)
