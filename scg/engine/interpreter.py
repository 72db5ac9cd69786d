"""The NumPy interpreter: the reference for compiled kernels.

A program is a list of instructions. Each array has its plate axes first, in the canonical order of
plates, and then its event axes; the kernels align their arguments accordingly.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from scg.errors import CallError
from scg.ir.expr import Expr, describe
from scg.ir.op import PLATE_SIZE, SIZED
from scg.ir.plate import Plate, Plates, ordered
from scg.ir.walk import together, topological
from scg.ops.elementwise import broadcast
from scg.ops.gather import gather, scatter, take_along
from scg.ops.linalg import contract, contract_arrays
from scg.ops.reductions import REDUCTIONS, shift
from scg.ops.shape import concatenate, reshape
from scg.ops.steps import at_step, join_steps, only_step
from scg.schedule.sources import sources, type_of
from scg.schedule.steps import Steps

Sizes = Mapping[Plate, int]
Rule = Callable[..., Any]


class Instruction(NamedTuple):
    """An operation: its results, its kernel, and the values that it is the last to read."""

    results: tuple[Expr, ...]
    kernel: Rule
    free: tuple[Expr, ...]

    @property
    def expr(self) -> Expr:
        """The first result."""
        return self.results[0]


class Interpreter:
    """Computes expressions from the values of their leaves.

    The outputs are expressions by key, without stochastic nodes; `dtype` is the type of all floats.
    """

    def __init__(self, outputs: Mapping[Any, Expr], dtype: Any = np.float64):
        self.dtype, self.outputs = np.dtype(dtype), dict(outputs)
        order = topological(outputs.values())
        self.leaves, self.constants = sources(order, self.dtype)
        groups = [results for results in together(order) if results[0].args]
        last = {arg: results for results in groups for arg in results[0].args}
        free: defaultdict[tuple[Expr, ...], list[Expr]] = defaultdict(list)
        for arg, results in last.items():
            free[results].append(arg)
        kept = set(outputs.values())
        self.instructions = [
            Instruction(
                own, kernel_of(own, self.dtype), tuple(a for a in free[own] if a not in kept)
            )
            for own in groups
        ]

    def run(self, leaves: Mapping[Expr, Any], sizes: Sizes) -> dict[Any, Any]:
        """Compute the outputs from an array for each leaf, and the sizes of plates."""
        values: dict[Expr, Any] = dict(self.constants)
        for leaf in self.leaves:
            known = leaf.op in SIZED
            values[leaf] = sized(leaf, sizes, self.dtype) if known else leaves[leaf]
        now = None
        try:
            with np.errstate(all="ignore"):
                for now in self.instructions:
                    found = now.kernel(sizes, *[values[arg] for arg in now.expr.args])
                    values.update(zip(now.results, found, strict=True))
                    for arg in now.free:
                        del values[arg]
        except IndexError:
            if now is None or now.expr.op not in (gather, take_along):
                raise  # from a user's function
            raise CallError(_out_of_bounds(now.expr, values[now.expr.args[1]])) from None
        return {key: values[expr] for key, expr in self.outputs.items()}


class Repetition:
    """The kernel of a loop: an interpreter of its body, which runs once for each step."""

    def __init__(self, results: tuple[Expr, ...], dtype: Any):
        self._steps = Steps(results)
        self._inner = Interpreter(self._steps.outputs, dtype)

    def __call__(self, sizes: Sizes, *xs: Any) -> list[Any]:
        """Compute the results."""
        steps, inner = self._steps, self._inner
        length = steps.length(sizes)
        values = dict(zip(steps.body.places, xs, strict=True))
        stacks = [np.empty(full(r, sizes), type_of(r, inner.dtype)) for r in steps.results]
        sliced = [(x, values[x], steps.axis(arg)) for x, arg in steps.sliced.items()]
        for t in range(length)[:: -1 if steps.reverse else 1]:
            for x, array, axis in sliced:
                values[x] = array[(slice(None),) * axis + (t,)]
            out = inner.run(values, sizes)
            for k, axis in steps.stacked.items():
                stacks[k][(slice(None),) * axis + (t,)] = out["output", k]
            values |= {steps.body.carry[i]: out["carry", i] for i in steps.carried}
        for k, i in steps.last.items():
            stacks[k] = values[steps.body.carry[i]]
        return stacks


def _out_of_bounds(expr: Expr, index: np.ndarray) -> str:
    """Message that names the wrong element of an index, and both nodes."""
    x, k = expr.args
    n = x.shape[expr.attrs.get("axis", 0)]
    wrong = index[(index < -n) | (index >= n)]
    where = f"; see {expr.origin.line}" if expr.origin.line else ""
    return (
        f"an index is out of bounds: {wrong.flat[0]} in {describe(k)}, which chooses of "
        f"{describe(x)} an element from 0 to {n - 1}, or from -{n} to -1 to count from the end"
        f"{where}"
    )


# --- alignment --------------------------------------------------------------------------------
def aligner(arg: Expr, plates: Plates, ndim: int) -> Callable[[Any], Any] | None:
    """Function that inserts axes of length 1, so that an array of `arg` broadcasts on `plates`."""
    index: list[Any] = [slice(None) if plate in arg.plates else None for plate in plates]
    index += [None] * (ndim - arg.ndim)
    # Axes missing in front need no insertion: NumPy broadcasting adds them.
    if None not in index or (not arg.plates and arg.ndim in (0, ndim)):
        return None
    position = (*index, ...)
    return lambda x: x[position]


def _aligned(expr: Expr, args: tuple[Expr, ...], pad: bool) -> list[Callable[[Any], Any] | None]:
    return [aligner(arg, expr.plates, expr.ndim if pad else arg.ndim) for arg in args]


def sized(leaf: Expr, sizes: Sizes, real: np.dtype) -> np.ndarray:
    """Value of a leaf that follows from the size of its plate."""
    n = leaf.attrs["plate"].elements(sizes)
    return np.asarray(n if leaf.op is PLATE_SIZE else np.arange(n), type_of(leaf, real))


def full(expr: Expr, sizes: Sizes) -> tuple[int, ...]:
    """Shape of the array of an expression."""
    return (*(plate.elements(sizes) for plate in expr.plates), *expr.shape)


# --- kernels ----------------------------------------------------------------------------------
def _general(expr: Expr) -> Rule:
    rule, attrs = expr.op.numpy, expr.attrs
    moves = _aligned(expr, expr.args, expr.op.elementwise)
    if not any(moves):
        if not attrs:
            return lambda sizes, *xs: rule(*xs)
        return lambda sizes, *xs: rule(*xs, **attrs)

    def kernel(sizes: Sizes, *xs: Any) -> Any:
        aligned = [move(x) if move else x for move, x in zip(moves, xs, strict=True)]
        return rule(*aligned, **attrs)

    return kernel


def _reduction(expr: Expr) -> Rule:
    (arg,) = expr.args
    rule, axes, rank = expr.op.numpy, expr.attrs["axes"], len(arg.plates) + arg.ndim
    over = tuple(arg.plates.index(p) - rank for p in expr.attrs["over"] if p in arg.plates)
    return lambda sizes, x: rule(x, axes=axes, over=over)


def _expand(expr: Expr) -> Rule:
    (arg,) = expr.args
    move = aligner(arg, expr.plates, expr.ndim)
    return lambda sizes, x: np.broadcast_to(move(x) if move else x, full(expr, sizes))


def _contract(expr: Expr) -> Rule:
    a, b = expr.args
    left = (*a.plates, *expr.attrs["left"])
    right = (*b.plates, *expr.attrs["right"])
    out = (*expr.plates, *expr.attrs["out"])
    return lambda sizes, x, y: contract_arrays(x, y, left, right, out)


def _reshape(expr: Expr) -> Rule:
    plates = len(expr.plates)
    return lambda sizes, x: np.reshape(x, x.shape[:plates] + expr.shape)


def _concatenate(expr: Expr) -> Rule:
    moves, axis = _aligned(expr, expr.args, False), expr.attrs["axis"]

    def kernel(sizes: Sizes, *xs: Any) -> Any:
        lead = tuple(plate.elements(sizes) for plate in expr.plates)
        parts = [
            np.broadcast_to(move(x) if move else x, lead + arg.shape)
            for arg, move, x in zip(expr.args, moves, xs, strict=True)
        ]
        return np.concatenate(parts, axis=axis)

    return kernel


def _indexed(expr: Expr) -> Rule:
    """Gather and scatter: both arguments need all plate axes, also those that are summed."""
    rule, attrs = expr.op.numpy, dict(expr.attrs)
    plates = ordered(plate for arg in expr.args for plate in arg.plates)
    indices = [
        tuple(slice(None) if plate in arg.plates else None for plate in plates) for arg in expr.args
    ]
    if "over" in attrs:
        attrs["over"] = tuple(i for i, plate in enumerate(plates) if plate in attrs["over"])
    return lambda sizes, x, k: rule(x[(*indices[0], ...)], k[(*indices[1], ...)], **attrs)


def _at_step(expr: Expr) -> Rule:
    (arg,), index = expr.args, expr.attrs["index"]
    place = (slice(None),) * arg.plates.index(expr.attrs["plate"])
    return lambda sizes, x: x[(*place, index)]


def _only_step(expr: Expr) -> Rule:
    index = expr.attrs["index"]
    place = (slice(None),) * expr.plates.index(expr.attrs["plate"])

    def kernel(sizes: Sizes, x: Any) -> Any:
        out = np.zeros(full(expr, sizes), np.asarray(x).dtype)
        out[(*place, index)] = x
        return out

    return kernel


def _joined(expr: Expr) -> Rule:
    axis = expr.plates.index(expr.attrs["plate"])
    plates = tuple(plate for plate in expr.plates if plate is not expr.attrs["plate"])
    moves = [aligner(arg, plates, arg.ndim) for arg in expr.args]

    def kernel(sizes: Sizes, *xs: Any) -> Any:
        shape = (*(plate.elements(sizes) for plate in plates), *expr.shape)
        aligned = [move(x) if move else x for move, x in zip(moves, xs, strict=True)]
        return np.stack([np.broadcast_to(x, shape) for x in aligned], axis=axis)

    return kernel


_KERNELS: dict[Any, Callable[[Expr], Rule]] = {
    **dict.fromkeys((*REDUCTIONS, shift), _reduction),
    broadcast: _expand,
    contract: _contract,
    reshape: _reshape,
    concatenate: _concatenate,
    gather: _indexed,
    scatter: _indexed,
    at_step: _at_step,
    only_step: _only_step,
    join_steps: _joined,
}


def kernel_of(results: tuple[Expr, ...], dtype: np.dtype) -> Rule:
    """Function that computes the results of an op from plate sizes and its arguments."""
    expr = results[0]
    if expr.op.loop is not None:
        return Repetition(results, dtype)
    kernel = _KERNELS.get(expr.op, _general)(expr)
    exact = dtype == np.float64 and all(arg.kind == "float" for arg in expr.args)
    if expr.kind != "float" or exact:
        return lambda sizes, *xs: (kernel(sizes, *xs),)
    return lambda sizes, *xs: (np.asarray(kernel(sizes, *xs), dtype),)
