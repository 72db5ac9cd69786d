"""Errors of the compiled elementary functions over all float32 and a dense grid of float64.

python benchmarks/accuracy/polynomials.py
python benchmarks/accuracy/polynomials.py --write docs/reference/polynomials.md

All float32 take some minutes on one core; `--every 64` takes one point in 64.
"""

import argparse
from pathlib import Path

import mpmath
import numba
import numpy as np
from scipy import special

import scg
from scg.engine.codegen.math import FUNCTIONS as MATH
from scg.engine.walk.executable import Executable
from scg.ir.op import OPS
from scg.seeds.normal import to_normal

STRETCH, LARGEST = 1 << 12, np.finfo(np.float32).max

HEAD = """# Polynomial functions

Compiled kernels evaluate these functions as polynomials instead of calling libm. Both backends
compute normal samples this way. The table gives the largest error in units in the last place, and
the argument at which it occurs. `python benchmarks/accuracy/polynomials.py` prints this page.

References: the compiled float64 functions for float32, NumPy's 80-bit long double for float64, and
mpmath for float64 normals. For results below the smallest normal number the unit is the smallest
subnormal number. Infinities and NaN agree with the reference at all tested points.
"""


def softplus(x):
    """log(1 + e^x), without overflow."""
    return np.where(x > 0, x, 0) + np.log1p(np.exp(-np.abs(x)))


def sigmoid(x):
    """1 / (1 + e^-x), without overflow."""
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, small) / (1 + small)


FUNCTIONS = {
    "exp": np.exp,
    "expm1": np.expm1,
    "log": np.log,
    "log1p": np.log1p,
    "tanh": np.tanh,
    "sigmoid": sigmoid,
    "softplus": softplus,
}


def compiled():
    """A function that computes all functions of an array of float64."""
    graph = scg.Graph("functions")
    x = graph.data("x", shape=(), plates=scg.Plate("points"))
    engine = Executable({name: OPS[name](x) for name in FUNCTIONS}, np.float64)
    return lambda points: engine.run({x: points}, {x.plates[0]: len(points)})


def worst(found, exact, x):
    """The largest error in units in the last place, and its point.

    Raises
    ------
    AssertionError
        If one is infinite or NaN and the other is not.
    """
    rounded = exact.astype(found.dtype)
    error = found.astype(exact.dtype)
    error -= exact
    error /= np.spacing(rounded)
    np.abs(error, out=error)
    strange = np.flatnonzero(~(error < 1e3))
    a, b = found[strange], rounded[strange]
    # infinities, NaN, and zeros; the largest number and infinity are one unit apart
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    edge = np.minimum(np.abs(a), np.abs(b)) >= np.finfo(a.dtype).max
    wrong = strange[~(same | edge)]
    assert not wrong.size, (x[wrong][:5], found[wrong][:5], exact[wrong][:5])
    error[strange] = 0
    i = int(error.argmax())
    return float(error[i]), float(x[i])


def exhaustive(name, every):
    """The largest error of a function over all float32, or one in `every`, and its point.

    The reference is the float64 function, whose unit is 2**29 times smaller.
    """
    single, double = MATH[name, "f4"], MATH[name, "f8"]

    @numba.njit(error_model="numpy")
    def run():
        bits, unit = np.empty(STRETCH, np.uint32), np.empty(STRETCH, np.int64)
        found, rounded = np.empty(STRETCH, np.float32), np.empty(STRETCH, np.float32)
        exact, error = np.empty(STRETCH), np.empty(STRETCH)
        x, units, exponents = bits.view(np.float32), unit.view(np.float64), rounded.view(np.uint32)
        worst, at, wrong = 0.0, np.float32(0), 0
        for start in range(0, 1 << 32, STRETCH * every):
            for i in range(STRETCH):
                bits[i] = start + i * every
            for i in range(STRETCH):
                found[i] = single(x[i])
            for i in range(STRETCH):
                exact[i] = double(np.float64(x[i]))
                rounded[i] = exact[i]
            for i in range(STRETCH):  # the spacing of numbers near the exact one
                unit[i] = max((exponents[i] >> 23) & 255, 1) + (1023 - 150) << 52
            for i in range(STRETCH):
                error[i] = abs(np.float64(found[i]) - exact[i]) / units[i]
            for i in range(STRETCH):
                if error[i] > worst and error[i] < 1e3:
                    worst, at = error[i], x[i]
                elif not error[i] < 1e3:
                    a, b = found[i], rounded[i]
                    # infinities and NaN; the largest number and infinity are one unit apart
                    edge = min(abs(a), abs(b)) >= LARGEST
                    wrong += not (a == b or (a != a and b != b) or edge)
        return worst, at, wrong

    worst, at, wrong = run()
    assert not wrong, (name, wrong)
    return worst, float(at)


def blocks_of_float64(count=1 << 21):
    """Yield numbers of all magnitudes, and dense ones where the functions curve."""
    rng = np.random.default_rng(0)
    bits = rng.integers(0, 1 << 64, count, dtype=np.uint64, endpoint=False)
    yield bits.view(np.float64)
    for reach in (1.0, 40.0, 760.0):
        yield rng.uniform(-reach, reach, count)
    yield 2.0 ** rng.uniform(-1074, 10, count) * rng.choice([-1.0, 1.0], count)
    near = np.spacing(1.0) * np.arange(-count // 2, count // 2)
    yield 1.0 + near
    yield near


def functions(blocks):
    """The worst error of each float64 function over blocks of points."""
    run = compiled()
    found = dict.fromkeys(FUNCTIONS, (0.0, np.nan))
    with np.errstate(all="ignore"):
        for x in blocks:
            values, wide = run(x), x.astype(np.longdouble)
            for name, reference in FUNCTIONS.items():
                error = worst(values[name], reference(wide), x)
                found[name] = max(found[name], error, key=lambda pair: pair[0])
    return found


def float32_normals():
    """The largest error over all float32 normals."""
    u = (np.arange(1 << 23) + 0.5) * 2.0**-23
    z = u.astype(np.float32)
    to_normal(z)
    return worst(z, special.ndtri(u), u)


def float64_normals(count=4000):
    """The largest error over random float64 normals and the last ones of both tails."""
    rng = np.random.default_rng(0)
    k = np.concatenate([rng.integers(0, 1 << 52, count), np.arange(100), 2 ** np.arange(52)])
    u = (k + 0.5) * 2.0**-52
    z = u.copy()
    to_normal(z)
    largest = (0.0, np.nan)
    with mpmath.workdps(40):
        for p, found in zip(u.tolist(), z.tolist(), strict=True):
            y = mpmath.mpf(found)  # one step of Newton squares its error
            off = float(abs((mpmath.ncdf(y) - mpmath.mpf(p)) / mpmath.npdf(y)))
            largest = max(largest, (off / float(np.spacing(abs(found))), p))
    return largest


def main():
    """Measure, print, and write the page if asked to."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--every", type=int, default=1, help="take one float32 in so many")
    parser.add_argument("--write", type=Path, help="the page to write")
    options = parser.parse_args()
    single = {name: exhaustive(name, options.every) for name in FUNCTIONS}
    double = functions(blocks_of_float64())
    single["normal sample"], double["normal sample"] = float32_normals(), float64_normals()
    lines = [HEAD, "| | float32 | at | float64 | at |", "|---|---:|---:|---:|---:|"]
    for name in single:
        (a, x), (b, y) = single[name], double[name]
        lines.append(f"| {name} | {a:.2f} | {x:.9g} | {b:.2f} | {y:.17g} |")
    which = "every float32" if options.every == 1 else f"one float32 in {options.every}"
    lines += [
        "",
        f"Tested: {which}, and {7 << 21} points of float64. For normals, *at* is the uniform.",
    ]
    print("\n".join(lines))
    if options.write:
        options.write.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
