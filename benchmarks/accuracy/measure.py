"""Relative errors of values and derivatives, compared with references of 400 digits."""

from dataclasses import dataclass

import mpmath as mp
import numpy as np

import scg
from scg.compiler.differentiate import gradients
from scg.engine.interpreter import Interpreter

DIGITS = 400
FLOATS = {"float64": np.float64, "float32": np.float32}


@dataclass
class Worst:
    """The largest relative error, and the point where it occurs."""

    error: float = -1.0
    where: str = ""

    def meet(self, got, reference, info, where, floor=0):
        """Compare one number; below the floor or the smallest normal number, relative to that."""
        if not mp.isfinite(reference) or abs(reference) > float(info.max):
            return  # beyond the range of the type
        scale = max(abs(reference), mp.mpf(float(info.tiny)), floor)
        error = abs(mp.mpf(float(got)) - reference) / scale if np.isfinite(got) else mp.inf
        if error > self.error:
            self.error, self.where = float(error), where


def run(fn, points, dtype, kind="float"):
    """Value of a function of nodes at each point, and its derivative in each scalar argument.

    A point is a tuple of numbers; the first may be a vector.
    """
    graph, row = scg.Graph(), scg.Plate("row")
    columns = [np.array(column) for column in zip(*points, strict=True)]
    kinds = [kind, *["float"] * (len(columns) - 1)]
    leaves = [
        graph.data(f"x{i}", shape=column.shape[1:], plates=row, kind=k)
        for i, (column, k) in enumerate(zip(columns, kinds, strict=True))
    ]
    value = fn(*leaves)
    engine = Interpreter({"value": value, **dict(enumerate(gradients(value, leaves)))}, dtype)
    given = {
        leaf: column.astype(dtype if leaf.kind == "float" else int)
        for leaf, column in zip(leaves, columns, strict=True)
        if leaf in engine.leaves
    }
    out = engine.run(given, {row: len(points)})
    return {
        key: np.broadcast_to(value, (len(points), *np.shape(value)[1:]))
        for key, value in out.items()
    }


def exactly(x):
    """A float or a vector of floats, converted to mpmath numbers without rounding."""
    return tuple(map(exactly, x)) if np.ndim(x) else mp.mpf(float(x))


def rounded(point, dtype):
    """The point, rounded to a dtype."""
    return tuple(np.asarray(x, np.float64).astype(dtype).astype(np.float64) for x in point)


def errors(fn, reference, points, derivatives, kind="float", logarithm=False):
    """Worst errors by (what, dtype); `derivatives` lists the arguments that have a derivative.

    The absolute error of a logarithm is the relative error of its argument. The errors of values
    below 1 are therefore absolute, and those of derivatives relative to at least 1 / max(|θ|, 1).
    """
    found = {}
    for name, dtype in FLOATS.items():
        info = np.finfo(dtype)
        inside = [p for p in (rounded(p, dtype) for p in points) if all(map(usable, p))]
        out = run(fn, inside, dtype, kind)
        value, slope = Worst(), Worst()
        with mp.workdps(DIGITS):
            for i, point in enumerate(inside):
                x = exactly_all(point)
                where = ", ".join(np.array2string(v, precision=4) for v in point)
                value.meet(out["value"][i], mp.mpf(reference(*x)), info, where, int(logarithm))
                for k in derivatives:
                    floor = 1 / max(abs(x[k]), 1) if logarithm else 0
                    slope.meet(out[k][i], partial(reference, x, k), info, where, floor)
        found["value", name], found["derivative", name] = value, slope
    return found


def exactly_all(point):
    """All arguments as mpmath numbers, without rounding."""
    return tuple(exactly(x) for x in point)


def usable(x):
    """Whether rounding kept a point usable."""
    return bool(np.all(np.isfinite(x)))


def partial(reference, x, k):
    """The derivative in one argument, by differences far smaller than the argument."""
    h = (abs(x[k]) or mp.mpf(1)) * mp.mpf(10) ** -60
    above, below = (reference(*x[:k], x[k] + s * h, *x[k + 1 :]) for s in (1, -1))
    return (above - below) / (2 * h)
