"""Cuts: where panels are cut before a rule is applied to them.

Nodes with different codes have a jump or a bend between them, which is closed in to the last bit. A
double crossing between two nodes shows as an extremum of what is compared. Steep ops are resolved
where their argument moves far between neighbouring nodes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from scg.verify.kinks import JUMPING, SIGNED

_DEEP = 16.0  # how many times smaller the least argument is that makes a peak
TURNING = {"touching", "saturating"}
_STEP, _HALF_WAVE = 8.0, 2.5  # how far an argument may move between two nodes
_FAR = 16.0  # exp(−16) is small enough for rules to see what is left of it
_FELT, _NEVER = 1e-13, 1e-17  # probability of where steep ops, and jumps, may be left alone
_SECTIONS = np.arange(1, 16) / 16.0
_ROUNDS = 14  # 16^-14 is beyond the precision of t

#: Computes outputs at points t, (panels, points), as arrays (panels, points, outputs).
Probe = Callable[[np.ndarray, np.ndarray], dict[str, np.ndarray]]


class Cuts(NamedTuple):
    """Places where panels are cut: the panel, the end of its left part, the start of the right."""

    panel: np.ndarray
    end: np.ndarray
    start: np.ndarray


def cuts(
    found: dict[str, np.ndarray], t: np.ndarray, mass: np.ndarray, top: np.ndarray, probe: Probe
) -> Cuts:
    """Where panels must be cut, given codes and arguments `found` at points t, (panels, points).

    The points ascend from one end of a panel to the other, with probabilities `mass` between them;
    `top` holds the largest arguments of exponentials that were met, (panels, arguments).
    """
    panel, j = np.nonzero(_changed(found, t.shape[1] - 1) & (mass > _NEVER))
    low, high = t[panel, j], t[panel, j + 1]
    if "sign" in found:
        hidden, middle, left, right = _dips("sign", found, t, probe)
        fresh = ~np.isin(hidden, panel)  # the others are looked at again when they are cut
        hidden, middle, left, right = (x[fresh] for x in (hidden, middle, left, right))
        panel = np.concatenate([panel, hidden, hidden])
        low, high = np.concatenate([low, left, middle]), np.concatenate([high, middle, right])
    low, high = _closed_in(panel, low, high, probe)
    for kind in TURNING & found.keys():
        peaks, middle, _, _ = _dips(kind, found, t, probe)
        panel = np.concatenate([panel, peaks])
        low, high = np.concatenate([low, middle]), np.concatenate([high, middle])
    steep, at = np.nonzero(_steep(found, top) & (mass > _FELT))
    near, far = t[steep, at], t[steep, at + 1]  # what is known of a peak stays at an end
    place = np.concatenate([near, (near + far) / 2.0, far])
    panel = np.concatenate([panel, steep, steep, steep])
    return Cuts(panel, np.concatenate([low, place]), np.concatenate([high, place]))


def _codes(found: dict[str, np.ndarray]) -> np.ndarray | None:
    columns = [np.sign(found["sign"])] if "sign" in found else []
    columns += [found["code"]] if "code" in found else []
    return np.concatenate(columns, axis=-1) if columns else None


def _changed(found: dict[str, np.ndarray], pairs: int) -> np.ndarray:
    """Whether codes differ between neighbouring points."""
    codes = _codes(found)
    if codes is None:
        return np.zeros((len(next(iter(found.values()))), pairs), bool)
    return _differ(codes[:, 1:], codes[:, :-1])


def _differ(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.any((a != b) & ~(np.isnan(a) & np.isnan(b)), axis=-1)


def _closed_in(
    panel: np.ndarray, low: np.ndarray, high: np.ndarray, probe: Probe
) -> tuple[np.ndarray, np.ndarray]:
    """Close in on the first change of codes between `low` and `high`."""
    if not len(panel):
        return low, high
    start = _codes(probe(panel, low[:, None]))
    rows = np.arange(len(panel))
    for _ in range(_ROUNDS):
        t = low[:, None] + (high - low)[:, None] * _SECTIONS
        codes = _codes(probe(panel, t))
        assert start is not None and codes is not None
        other = _differ(codes, start)
        first = np.where(other.any(axis=1), np.argmax(other, axis=1), len(_SECTIONS))
        edges = np.concatenate([low[:, None], t, high[:, None]], axis=1)
        low, high = edges[rows, first], edges[rows, first + 1]
    return low, high


def _dips(
    kind: str, found: dict[str, np.ndarray], t: np.ndarray, probe: Probe
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Panels with a dip between nodes, across zero or close to it: where, and its bracket."""
    values = found[kind]
    size = np.abs(values)
    before, here, after = size[:, :-2], size[:, 1:-1], size[:, 2:]
    turns = (here <= before) & (here <= after) & (np.maximum(before, after) > here) & (here > 0)
    # A parabola through three nodes falls at most this far below the middle one.
    with np.errstate(invalid="ignore"):  # infinite on both sides
        turns &= here < 2.0 * (np.maximum(before, after) - here)
        turns &= values[:, :-2] * values[:, 2:] > 0.0
    panel, j, column = np.nonzero(turns)
    left, right = t[panel, j], t[panel, j + 2]
    low, high, middle = left, right, t[panel, j + 1]
    rows = np.arange(len(panel))
    first = values[panel, j + 1, column]
    sign, best = np.sign(first), np.abs(first)
    for _ in range(_ROUNDS if len(panel) else 0):
        points = low[:, None] + (high - low)[:, None] * _SECTIONS
        value = probe(panel, points)[kind][rows, :, column]
        value = value * sign[:, None] if kind in SIGNED else np.abs(value)
        value = np.where(np.isnan(value), np.inf, value)
        least = np.argmin(value, axis=1)
        better = value[rows, least] < best
        middle = np.where(better, points[rows, least], middle)
        best = np.minimum(best, value[rows, least])
        step = (high - low) / 16.0
        low, high = np.maximum(low, middle - step), np.minimum(high, middle + step)
    deep = best < (0.0 if kind in SIGNED else np.abs(first) / _DEEP)
    panel, once = np.unique(panel[deep], return_index=True)
    return panel, middle[deep][once], left[deep][once], right[deep][once]


def _steep(found: dict[str, np.ndarray], top: np.ndarray) -> np.ndarray:
    """Whether a steep op moves too far between neighbouring points, where it is felt."""
    steep: Any = np.zeros(())
    for kind, x in found.items():
        if kind in (*JUMPING, "touching"):
            continue
        a, b = x[:, :-1], x[:, 1:]
        with np.errstate(invalid="ignore"):
            far = np.abs(b - a) > (_HALF_WAVE if kind == "wave" else _STEP)
            if kind != "wave":
                felt = (np.minimum(np.abs(a), np.abs(b)) < _FAR) | (a * b < 0)
                if kind == "exponential":
                    felt |= np.maximum(a, b) > top[:, None] - _FAR
                far &= felt
        steep = steep + far.any(axis=-1)
    shape = next(iter(found.values())).shape
    return np.broadcast_to(steep > 0, (shape[0], shape[1] - 1))
