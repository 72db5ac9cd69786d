"""Search: sets of noise that are small in several elements at once.

Along one element, a jump shows between neighbouring nodes. A small set in several elements, such
as a disc, shows only if the later elements happen to lie in it. This module finds the deepest
point of such sets by descent in all elements together; it becomes one more probe of later noise.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from scg.engine.interpreter import full
from scg.verify.integrand import Integrand
from scg.verify.kinks import SIGNED, Kinks
from scg.verify.quadrature import MEASURES, Measure

_SAMPLES = 256
_RARE = 1.0 / 32.0  # frequency of a sign; of more frequent ones nodes see enough
_STARTS = 4  # descents for each sign
_SHRINK, _SWEEPS = 0.65, 32  # the last step is 0.65³² = 1e-6
_STEPS = np.arange(-8, 9) / 8.0

Points = dict[str, np.ndarray]


def add_probes(integrand: Integrand) -> None:
    """Add small sets of several elements to the probes of later noise, level by level."""
    rng, noise = np.random.default_rng(0), Points()
    for name, leaf in integrand.leaves.items():
        uniform = leaf.attrs["law"] == "uniform"
        noise[name] = (rng.random if uniform else rng.standard_normal)(
            (_SAMPLES, *full(leaf, integrand.sizes))
        )
    levels = integrand.levels
    for kinks in dict.fromkeys(level.kinks for level in levels if level.probes[0]):
        assert kinks is not None and kinks.program is not None

        def signs(points: Points, kinks: Kinks = kinks) -> np.ndarray:
            rows = len(next(iter(points.values())))
            integrand.spend(kinks.price(integrand.step.program, rows, integrand.sizes))
            found = kinks.run(integrand.values, points, rows, integrand.sizes)
            none = np.empty((rows, 0))
            return np.concatenate([found.get(kind, none) for kind in SIGNED], axis=1)

        names = kinks.program.noise.keys()
        moving = [e.leaf for e in levels if e.element == 0 and e.leaf.attrs["name"] in names]
        laws = {leaf.attrs["name"]: MEASURES[leaf.attrs["law"]] for leaf in moving}
        points = rare_points(signs, noise, laws)
        for k, level in enumerate(levels):
            if level.kinks is kinks and level.probes[0]:
                known = [{name: point[name] for name in level.probes[0]} for point in points]
                levels[k] = replace(level, probes=(*known, *level.probes))


def rare_points(
    signs: Callable[[Points], np.ndarray], noise: Points, laws: Mapping[str, Measure]
) -> list[Points]:
    """Points at which a column of `signs`, (points, columns), has a sign that is rare.

    The descents start at some of the random points `noise`, and move the leaves in `laws`.
    """
    value = signs(noise)
    usual = np.where(np.mean(value > 0.0, axis=0) > 0.5, 1.0, -1.0)
    height = np.where(np.isnan(value), np.inf, value * usual)
    columns = np.repeat(np.flatnonzero(np.mean(height <= 0.0, axis=0) < _RARE), _STARTS)
    if not len(columns):
        return []
    rank = np.tile(np.arange(_STARTS), len(columns) // _STARTS)
    starts = np.argsort(height, axis=0)[rank, columns]
    rows, best = np.arange(len(columns)), height[starts, columns]
    points = {name: array[starts] for name, array in noise.items()}
    for width in _SHRINK ** np.arange(_SWEEPS):
        for name, law in laws.items():
            moving = points[name].reshape(len(rows), -1)
            for element in range(moving.shape[1]):
                y = law.place(moving[:, element, None]) + width * _STEPS
                x = law.at(np.clip(y, 0.0, 1.0))
                tried = {n: np.repeat(array, len(_STEPS), axis=0) for n, array in points.items()}
                tried[name].reshape(x.size, -1)[:, element] = x.ravel()
                value = signs(tried).reshape(*x.shape, -1)[rows, :, columns]
                height = np.where(np.isnan(value), np.inf, value * usual[columns, None])
                lowest = np.argmin(height, axis=1)
                found = height[rows, lowest]
                moving[:, element] = np.where(found < best, x[rows, lowest], moving[:, element])
                best = np.minimum(best, found)
    seen: dict[bytes, Points] = {}
    for row in np.flatnonzero(best < 0.0):
        point = {name: array[row] for name, array in points.items()}
        place = np.concatenate([np.ravel(points[name][row]) for name in laws]).round(3)
        seen.setdefault((place + 0.0).tobytes(), point)
    return list(seen.values())
