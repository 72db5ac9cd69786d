"""Windowed: Monte Carlo means of the gradients of streams, summed over the windows of a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from scg.errors import CallError
from scg.estimators.truncation import ARTBP
from scg.run.step import Step
from scg.run.windows import cut, joined, ordered_axes, ordered_plate, steps_of
from scg.seeds.noise import extended, generator
from scg.verify.sampling import Sample, flat

Windows = list[Any]


def windows_of(step: Step, data: Any) -> Windows:
    """The windows of a sequence, given as one window or as a list of them.

    Raises
    ------
    CallError
        If `data` is neither, or if there are several windows and the step is not compiled with
        ``stream=True``.
    """
    if data is None or isinstance(data, Mapping):
        return [data]
    if not isinstance(data, Sequence) or not all(isinstance(one, Mapping) for one in data):
        kind = type(data).__name__
        raise CallError(f"check: expected data as a mapping or a list of windows, got a {kind}")
    if step.surrogate.first.window is None and len(data) != 1:
        raise CallError("check: several windows need a step that was compiled with stream=True")
    return [dict(one) for one in data]


def whole(step: Step, windows: Windows) -> Any:
    """The sequence of which these are the windows."""
    first, *others = windows
    if not others:
        return first
    plate = ordered_plate(step.graph)
    if plate.length is not None:
        raise CallError(
            f"check: plate {plate.name!r} has the length {plate.length}, which is that of a "
            "window, but the exact gradient is that of the whole sequence; leave its length out"
        )
    axes = ordered_axes(step.graph, plate)
    for other in others:
        first = joined(_arrays(first), _arrays(other), axes)
    return first


def mean_gradient(
    step: Step, params: Mapping[str, Any], windows: Windows, seed: Any, runs: int, state: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard error over runs of a step's gradient, summed over the windows of a run."""
    streams = step.surrogate.first.window is not None
    if len(windows) > 1 or (streams and isinstance(step.plan.truncation, ARTBP)):
        parts = segments(step, windows, seed)
        return mean_of_sums(step, lambda: params, parts, extended(seed), runs, state)
    sample = Sample(step, step.checked(params, windows[0], state), seed, runs)
    return sample.mean, sample.stderr


def segments(step: Step, windows: Windows, seed: Any) -> Callable[[], Windows]:
    """Function that returns the windows of a run; :class:`ARTBP` cuts them anew for each run."""
    how = step.plan.truncation
    if not isinstance(how, ARTBP):
        return lambda: windows
    plate = ordered_plate(step.graph)
    axes, data = ordered_axes(step.graph, plate), _arrays(whole(step, windows))
    if not axes or plate.length is not None:
        raise CallError(
            f"check: the windows of {how!r} have random lengths, but no data give plate "
            f"{plate.name!r} its length"
        )
    rng = generator(extended(seed, 2), "check:segments")

    def cuts() -> Windows:
        found, start, steps = [], 0, steps_of(data, axes)
        while start < steps:
            end = start + how.segment(rng)
            found.append(cut(data, axes, start, end))
            start = end
        return found

    return cuts


def mean_of_sums(
    step: Step,
    at: Callable[[], Mapping[str, Any]],
    windows: Callable[[], Windows],
    seed: tuple[int, ...],
    runs: int,
    state: Any = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard error of a gradient, summed over the windows of each run.

    `at` returns the parameters of a window.
    """
    found = []
    for run in range(runs):
        carry, total, parts = None, 0.0, windows()
        for i, window in enumerate(parts):
            out = step(at(), seed=(*seed, run, i), data=window, state=state, carry=carry)
            carry = out.carry if len(parts) > 1 else None
            total = total + flat(out.grads)
        found.append(total)
    return np.mean(found, axis=0), np.std(found, axis=0, ddof=1) / runs**0.5


def _arrays(window: Mapping[str, Any]) -> dict[str, np.ndarray]:
    return {name: np.asarray(x) for name, x in window.items()}
