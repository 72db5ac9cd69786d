"""Quadrature: pairs of rules for one element of noise, on cells between its jumps and kinks.

A place on the line of an element is a number y in (0, 1): a uniform itself, or the logistic
function of a normal, x = s log(y / (1 − y)). *Easy* rules, which are cheap and exact for entire
functions, are tried on a whole cell; then panels are halved until their two rules agree. Points are
moved aside, so that the two rules of a pair share no symmetry.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from scg.common.lazy import scipy_function

betainc, betaln, expit, logit, ndtr = map(
    scipy_function, ("betainc", "betaln", "expit", "logit", "ndtr")
)
GOLDEN = (3.0 - 5.0**0.5) / 2.0
_WIDTH = 2.0  # s: of the logistic density of the points of a normal
_BEND = 0.05
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


class Integral(NamedTuple):
    """Expected outputs, their expected sizes and bounds on the error, each (rows, outputs)."""

    value: np.ndarray
    size: np.ndarray
    error: np.ndarray


class Rule(NamedTuple):
    """Points, weights, and the weights of the rule that it is compared with."""

    points: np.ndarray
    weights: np.ndarray
    rival: np.ndarray

    def sorted(self) -> Rule:
        """The rule with ascending points."""
        order = np.argsort(self.points)
        return Rule(*(each[order] for each in self))


class Sums(NamedTuple):
    """A rule on panels: values of the element, both weights, and which points were clipped."""

    x: np.ndarray
    weights: np.ndarray
    rival: np.ndarray
    clipped: np.ndarray


def _panel() -> Rule:
    """Gauss-Kronrod (7, 15), as in QUADPACK, in a variable that is bent aside."""
    half = np.array(_KRONROD)
    middle = np.array([[0.0, 0.209482141084727828, 0.417959183673469388]])
    x, weights, rival = np.concatenate([half * (-1, 1, 1), middle, half[::-1]]).T
    points, slope = _bent(x, _BEND)
    return Rule(points, weights * slope, rival * slope)


def _pair() -> Rule:
    """Gauss rules of 16 points and of 15, bent to different sides."""
    (x, w), (y, v) = (np.polynomial.legendre.leggauss(count) for count in (16, 15))
    (t, slope), (s, rival) = _bent(x, _BEND), _bent(y, -_BEND)
    points, zeros = np.concatenate([t, s]), np.zeros
    weights = np.concatenate([w * slope, zeros(15)])
    return Rule(points, weights, np.concatenate([zeros(16), v * rival])).sorted()


def _bent(x: np.ndarray, bend: float) -> tuple[np.ndarray, np.ndarray]:
    """Points x of (−1, 1) moved to (0, 1) and aside, with the slope of this map."""
    t = (1.0 + x) / 2.0
    return t + bend * t * (1.0 - t), (1.0 + bend * (1.0 - 2.0 * t)) / 2.0


def _polynomials() -> Rule:
    """Gauss-Hermite rules of 7 points and, moved aside, of 8, for polynomials of a normal."""
    x, w = np.polynomial.hermite_e.hermegauss(7)
    y, v = np.polynomial.hermite_e.hermegauss(8)
    shift = 0.1
    v = v * np.exp(-shift * y - shift**2 / 2.0)
    points = np.concatenate([x, y + shift])
    scale = np.sqrt(2.0 * np.pi)
    weights, rival = np.concatenate([0.0 * w, v]), np.concatenate([w, 0.0 * v])
    return Rule(points, weights / scale, rival / scale).sorted()


def _trapezoid(step: float) -> Rule:
    """Two trapezoidal rules for functions of a normal without near singularities.

    Their error falls as exp(−2π d/h), where h is the step and d the distance of the nearest pole;
    the mean of both rules has half the step.
    """
    k = np.arange(round(-9.0 / step), round(9.0 / step))
    points = step * (np.concatenate([k, k + 0.5]) + 0.13)  # not symmetric
    weights = step * np.exp(-0.5 * points**2) / np.sqrt(2.0 * np.pi)
    first = np.arange(len(points)) < len(k)
    return Rule(points, weights / 2.0, weights * first).sorted()


PANEL = _panel()
#: Where cells are looked over for kinks before a rule is first applied to them.
SCAN = np.concatenate([GOLDEN * PANEL.points, GOLDEN + (1.0 - GOLDEN) * PANEL.points])


def gathered(
    low: np.ndarray, high: np.ndarray, s: np.ndarray, power: int
) -> tuple[np.ndarray, np.ndarray]:
    """Places y of a cell and dy/ds ∝ s^power (1 − s)^power: they gather at both ends."""
    slope = (s * (1.0 - s)) ** power / np.exp(betaln(power + 1, power + 1))
    y = low + (high - low) * betainc(power + 1, power + 1, s)
    return np.minimum(y, high), (high - low) * slope  # not beyond a jump by rounding


@dataclass(frozen=True)
class Measure:
    """The distribution of an element of noise, in terms of places."""

    edge: tuple[float, float]  # the least and the largest value that the element takes
    place: Callable[[np.ndarray], np.ndarray]  # y of x
    value: Callable[[np.ndarray], np.ndarray]  # x of y, before it is clipped
    density: Callable[[np.ndarray], np.ndarray]  # of y
    mass: Callable[[np.ndarray, np.ndarray], np.ndarray]  # probability between two y
    power: int  # how strongly the points of panels gather at the ends of cells
    easy: tuple[tuple[Rule, int], ...]  # rules on whole cells, each with its power
    lines: tuple[Rule, ...] = ()  # rules for the whole line, in place of these

    def at(self, y: np.ndarray) -> np.ndarray:
        """The value x at y, as programs see it."""
        return np.clip(self.value(y), *self.edge)

    def easy_rules(self, low: np.ndarray, high: np.ndarray) -> int:
        """Number of easy rules for these cells."""
        return len(self.lines if self._whole(low, high) else self.easy)

    def _whole(self, low: np.ndarray, high: np.ndarray) -> bool:
        return bool(self.lines) and bool(np.all((low == 0.0) & (high == 1.0)))

    def sums(
        self, low: np.ndarray, high: np.ndarray, a: np.ndarray, b: np.ndarray, easy: int | None
    ) -> Sums:
        """The rules of panels from s = a to b of cells from `low` to `high`, all columns."""
        if easy is not None and self._whole(low, high):
            x, weights, rival = (np.tile(each, (len(low), 1)) for each in self.lines[easy])
            return Sums(x, weights, rival, np.abs(x) > _OUT)
        rule, power = (PANEL, self.power) if easy is None else self.easy[easy]
        y, slope = gathered(low, high, a + (b - a) * rule.points, power)
        density = self.density(y) * slope * (b - a)
        x = self.at(y)
        return Sums(x, density * rule.weights, density * rule.rival, x != self.value(y))


def _normal_density(y: np.ndarray) -> np.ndarray:
    """φ(x) dx/dy."""
    x = _WIDTH * logit(y)
    inside = np.abs(x) < 40.0
    slope = _WIDTH / np.where(inside, y * (1.0 - y), 1.0) / np.sqrt(2.0 * np.pi)
    return np.where(inside, np.exp(-0.5 * np.where(inside, x, 0.0) ** 2) * slope, 0.0)


def normal_mass(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Probability of a normal between two values, by the CDF on the side where it is small."""
    flip = low > 0.0
    return ndtr(np.where(flip, -low, high)) - ndtr(np.where(flip, -high, low))


#: By the law of a noise leaf. Points of uniforms gather where logarithms and powers are singular.
MEASURES = {
    "uniform": Measure(
        edge=(2.0**-53, 1.0 - 2.0**-53),  # uniforms are open
        place=lambda x: np.clip(x, 0.0, 1.0),
        value=lambda y: y,
        density=lambda y: np.ones(y.shape),
        mass=lambda low, high: high - low,
        power=4,
        easy=((PANEL, 0), (_pair(), 1)),
    ),
    "normal": Measure(
        edge=(-12.0, 12.0),  # beyond it lies 4e-33 of the probability
        place=lambda x: expit(x / _WIDTH),
        value=lambda y: _WIDTH * logit(y),
        density=_normal_density,
        mass=lambda low, high: normal_mass(_WIDTH * logit(low), _WIDTH * logit(high)),
        power=1,
        easy=((PANEL, 0),),
        lines=(_polynomials(), _trapezoid(0.6), _trapezoid(0.3)),
    ),
}
