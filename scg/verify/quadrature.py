"""Quadrature: pairs of rules for one element of noise, on cells between its jumps and kinks.

Places on the line of an element are numbers y in (0, 1): a uniform itself, or t with the normal
x = s log(t / (1 − t)). A cell is integrated by *easy* rules first, which are cheap and exact for
entire functions, then by panels that are halved until their rules agree. Points are moved aside, so
that the two rules of a pair share no symmetry.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import betainc, betaln, expit, logit, ndtr

GOLDEN = (3.0 - 5.0**0.5) / 2.0
_WIDTH = 2.0  # of the logistic density of the points of a normal
_BEND = 0.05
_SAFETY = 4.0
_OUT = 8.4  # trapezoids end near 9
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
    return Rule(*_bent((1.0 + x) / 2.0, weights / 2.0, rival / 2.0, _BEND))


def _pair() -> Rule:
    """Gauss rules of 16 points and of 15, bent to different sides."""
    rules = [np.polynomial.legendre.leggauss(count) for count in (16, 15)]
    (t, w, _), (s, v, _) = (
        _bent((1.0 + x) / 2.0, w / 2.0, w, bend)
        for (x, w), bend in zip(rules, (_BEND, -_BEND), strict=True)
    )
    nothing = np.zeros(len(t)), np.zeros(len(s))
    points = np.concatenate([t, s])
    order = np.argsort(points)
    weights, rival = np.concatenate([w, nothing[1]]), np.concatenate([nothing[0], v])
    return Rule(points[order], weights[order], rival[order])


def _bent(
    t: np.ndarray, weights: np.ndarray, rival: np.ndarray, bend: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Move points of (0, 1) aside."""
    slope = 1.0 + bend * (1.0 - 2.0 * t)
    return t + bend * t * (1.0 - t), weights * slope, rival * slope


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


PANEL, PAIR = _panel(), _pair()
#: For the whole line of a normal, one after the other.
LINES = (_line(), _trapezoid(0.6), _trapezoid(0.3))
#: Where cells are looked over for kinks before a rule is first applied to them.
SCAN = np.concatenate([GOLDEN * PANEL.points, GOLDEN + (1.0 - GOLDEN) * PANEL.points])


class Cell(NamedTuple):
    """Cells between jumps and kinks, each from `low` to `high`, which are columns of y."""

    low: np.ndarray
    high: np.ndarray

    def gathered(self, s: np.ndarray, power: int) -> tuple[np.ndarray, np.ndarray]:
        """Return y and dy/ds ∝ s^power (1 − s)^power: points gather at both ends."""
        slope = (s * (1.0 - s)) ** power / np.exp(betaln(power + 1, power + 1))
        length = self.high - self.low
        y = self.low + length * betainc(power + 1, power + 1, s)
        return np.minimum(y, self.high), length * slope  # not beyond a jump by rounding


class Law:
    """The law of an element of noise."""

    edge: tuple[float, float]
    easy_rules: int
    power: int

    def place(self, x: np.ndarray) -> np.ndarray:
        """Return the y of x."""
        raise NotImplementedError

    def moved(self, y: np.ndarray) -> np.ndarray:
        """Return the x of y."""
        raise NotImplementedError

    def density(self, y: np.ndarray) -> np.ndarray:
        """Return the probability density of y."""
        raise NotImplementedError

    def mass(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Return the probability between two y."""
        raise NotImplementedError

    def easy(self, cell: Cell, number: int) -> Nodes:
        """Return one of the easy rules."""
        raise NotImplementedError

    def hard(self, cell: Cell, a: np.ndarray, b: np.ndarray) -> Nodes:
        """Return rules for panels of a cell, from s = a to b."""
        y, slope = cell.gathered(a + (b - a) * PANEL.points, self.power)
        return self.nodes(y, slope * (b - a), PANEL)

    def nodes(self, y: np.ndarray, slope: np.ndarray, rule: Rule) -> Nodes:
        """Return rules at y, whose points have the density 1 / slope."""
        density = self.density(y) * slope
        x, clipped = self.value(y)
        return Nodes(x, density * rule.weights, density * rule.rival, clipped)

    def value(self, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return x as programs see it, and whether it had to be moved inside."""
        x = self.moved(y)
        inside = np.clip(x, *self.edge)
        return inside, inside != x


class Uniform(Law):
    """y = x, with points that gather where logarithms and powers are singular."""

    edge = (2.0**-53, 1.0 - 2.0**-53)  # uniforms are open
    easy_rules = 2
    power = 4

    def place(self, x: np.ndarray) -> np.ndarray:
        """Clip."""
        return np.clip(x, 0.0, 1.0)

    def moved(self, y: np.ndarray) -> np.ndarray:
        """Return y."""
        return y

    def density(self, y: np.ndarray) -> np.ndarray:
        """One."""
        return np.ones(y.shape)

    def mass(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Return the difference."""
        return b - a

    def easy(self, cell: Cell, number: int) -> Nodes:
        """Gauss and Kronrod for polynomials, then Gauss rules for powers of odds."""
        rule = (PANEL, PAIR)[number]
        return self.nodes(*cell.gathered(rule.points, number), rule)


class Normal(Law):
    """x = s log(y / (1 − y))."""

    edge = (-12.0, 12.0)  # beyond it lies 4e-33 of the probability
    easy_rules = len(LINES)
    power = 1

    def place(self, x: np.ndarray) -> np.ndarray:
        """Return the logistic function."""
        return expit(x / _WIDTH)

    def moved(self, y: np.ndarray) -> np.ndarray:
        """Return the logit, stretched."""
        return _WIDTH * logit(y)

    def density(self, y: np.ndarray) -> np.ndarray:
        """φ(x) dx/dy."""
        x = self.moved(y)
        inside = np.abs(x) < 40.0
        slope = _WIDTH / np.where(inside, y * (1.0 - y), 1.0) / np.sqrt(2.0 * np.pi)
        return np.where(inside, np.exp(-0.5 * np.where(inside, x, 0.0) ** 2) * slope, 0.0)

    def mass(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Return a difference of CDFs, on the side where they are small."""
        x, y = self.moved(a), self.moved(b)
        flip = x > 0.0
        return ndtr(np.where(flip, -x, y)) - ndtr(np.where(flip, -y, x))

    def easy(self, cell: Cell, number: int) -> Nodes:
        """Gauss-Hermite, then trapezoids, on the whole line; there are none between other ends."""
        if not np.all((cell.low == 0.0) & (cell.high == 1.0)):
            y, slope = cell.gathered(PANEL.points, 0)
            return self.nodes(y, slope, PANEL)
        x, weights, rival = (np.tile(each, (len(cell.low), 1)) for each in LINES[number])
        return Nodes(x, weights, rival, np.abs(x) > _OUT)


LAWS: dict[str, Law] = {"uniform": Uniform(), "normal": Normal()}


def error(high: np.ndarray, low: np.ndarray) -> np.ndarray:
    """Bound the error of the better of two rules by their difference."""
    return _SAFETY * np.abs(high - low)
