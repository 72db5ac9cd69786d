"""The executable: a lowered program, its kernels, and the driver that walks their table."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from scg.engine import blas, native, streams, table
from scg.engine.buffers import type_of, uses
from scg.engine.interpreter import KERNELS, Sizes, _general, elements, full
from scg.engine.kernels import Word, generate
from scg.engine.plan import Frame, Plan
from scg.expr import Expr, topological
from scg.passes.fuse import Fallback, Gemm, Loop, fuse
from scg.passes.lower import View, is_whole, lower

#: Walks rows of (function, operands): threaded code.
DRIVER = """def kernel(table):
    code = word(table, 1)
    for i in range(word(table, 0)):
        call(load_i8(code, i + i, 0, 0), load_i8(code, i + i + u8(1), 0, 0))
"""
#: Tables that are kept, one for each combination of plate sizes.
PLANS = 8

_call = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)


class Executable:
    """Computes expressions from the values of their leaves with compiled kernels.

    Parameters
    ----------
    outputs : mapping
        Expressions by key, without stochastic nodes.
    dtype : numpy dtype
        The type of all floats, float64 or float32.

    Attributes
    ----------
    entries : list
        Loop nests, matrix products and ops that NumPy computes, in order.
    fallbacks : list of str
        Names of the ops that NumPy computes in Python.
    """

    def __init__(self, outputs: Mapping[Any, Expr], dtype: Any = np.float64):
        self.dtype = np.dtype(dtype)
        self.code = "f4" if self.dtype == np.float32 else "f8"
        self.outputs, self.views = lower(outputs)
        entries = fuse(self.outputs, self.views)
        if not blas.check():
            entries = [Fallback(e.expr) if isinstance(e, Gemm) else e for e in entries]
        self.entries = entries
        self.fallbacks = [e.expr.op.name for e in entries if isinstance(e, Fallback)]
        self.order = [uses(entry, self.views) for entry in entries]
        self._leaves_and_results()
        self.sources: list[str | None] = []
        self._steps: list[tuple[Any, int | None, tuple[Word, ...]]] = []
        for entry in entries:
            source, words = self._source(entry)
            self.sources.append(source)
            self._steps.append((entry, native.address(source) if source else None, words))
        self.noise = {leaf: slot for leaf, slot in self.leaves.items() if leaf.op.name == "noise"}
        self._names = [streams.encoded(leaf) for leaf in self.noise]
        self._noise_slots = np.array(list(self.noise.values()), np.intp)
        self._fill = {
            leaf: native.address(streams.source(leaf.attrs["law"], self.code))
            for leaf in self.noise
        }
        self._driver = _call(native.address(DRIVER))
        self._plans: dict[tuple[int, ...], Plan] = {}

    def _leaves_and_results(self) -> None:
        """Give every array from outside, or going there, a slot."""
        self.leaves: dict[Expr, int] = {}
        self.constants: dict[int, np.ndarray] = {}
        self.slots: dict[Expr, int] = {}
        for expr in topological(self.outputs.values()):
            if not expr.args:
                slot = self.slots[expr] = len(self.slots)
                if expr.value is None:
                    self.leaves[expr] = slot
                else:
                    array = np.ascontiguousarray(expr.value, type_of(expr, self.dtype))
                    self.constants[slot] = array.reshape(expr.value.shape)
        written = {base for use in self.order for base in use.written}
        bases = dict.fromkeys(self.views[expr].base for expr in self.outputs.values())
        self._noise_is_output = any(base.op.name == "noise" for base in bases)
        # Whether an output is an array of its own, or a view that is made at each call.
        self._outputs = {key: (expr, expr in written) for key, expr in self.outputs.items()}
        self.results = [base for base in bases if base in written]
        for base in self.results:
            self.slots[base] = len(self.slots)
        self.plates = sorted(
            {p for e in topological(self.outputs.values()) for p in e.plates}
            | {e.attrs["plate"] for e in self.leaves if e.op.name == "plate_size"},
            key=lambda plate: plate.serial,
        )

    def _source(self, entry: Any) -> tuple[str | None, tuple[Word, ...]]:
        if isinstance(entry, Loop):
            kernel = generate(entry, self.code)
            return kernel.source, kernel.words
        if isinstance(entry, Gemm):
            return blas.SOURCE.replace("{code}", self.code), ()
        return None, ()

    @property
    def source(self) -> str:
        """The text of all distinct kernels."""
        return "\n\n".join(dict.fromkeys(text for text in self.sources if text))

    # --- running --------------------------------------------------------------------------------
    def plan(self, sizes: Sizes) -> Plan:
        """Return the table for these sizes of the plates."""
        key = tuple(elements(plate, sizes) for plate in self.plates)
        found = self._plans.get(key)
        if found is None:
            while len(self._plans) >= PLANS:
                self._plans.pop(next(iter(self._plans)), None)
            own = dict(zip(self.plates, key, strict=True))
            found = Plan(self._steps, self.order, self.slots, self._fill, own, self.dtype)
            self._plans[key] = found
        return found

    def run(
        self, leaves: Mapping[Expr, Any], sizes: Sizes, draws: tuple[Any, int] | None = None
    ) -> dict[Any, Any]:
        """Compute the outputs.

        Parameters
        ----------
        leaves : mapping
            An array for each expression of :attr:`leaves`, plate sizes excepted.
        sizes : mapping
            The number of elements of each plate.
        draws : (seed, first run), optional
            Draw the noise here; `leaves` then need not hold it.
        """
        plan = self.plan(sizes)
        arrays = self._bind(leaves, plan, draws is None)
        frame = plan.frame()
        try:
            at = np.array([0 if array is None else address(array) for array in arrays], np.int64)
            start = len(self.noise)
            if draws is not None and self.noise:
                seed, first_run = draws
                at[self._noise_slots] = frame.noise_at
                frame.noise[:, 0] = streams.keys(seed, self._names).view(np.int64)
                frame.noise[:, 1] = first_run
                self._show_noise(plan, frame, arrays)
                start = 0  # the table begins with the rows that draw
            plan.connect(frame, at)
            for _, last, entry in plan.segments:
                if last > start:
                    self._walk(frame, start, last)
                    start = last
                if entry is not None:
                    self._fall_back(entry.expr, plan, frame, arrays)
            return {
                key: arrays[self.slots[expr]] if plain else self._view(expr, plan, None, arrays)
                for key, (expr, plain) in self._outputs.items()
            }
        finally:
            plan.frames.append(frame)

    def _show_noise(self, plan: Plan, frame: Frame, arrays: list[Any]) -> None:
        """Make arrays of the noise to be drawn, for what NumPy computes and for outputs."""
        if not self.fallbacks and not self._noise_is_output:
            return
        start = address(frame.arena)
        for slot, shape, at in zip(self._noise_slots, plan.shapes, frame.noise_at, strict=True):
            array = np.ndarray(shape, self.dtype, frame.arena, int(at) - start)
            arrays[slot] = array

    def _bind(
        self, leaves: Mapping[Expr, Any], plan: Plan, with_noise: bool = True
    ) -> list[np.ndarray]:
        """Return the arrays from outside, and new ones for the results, by slot."""
        arrays: list[Any] = [None] * len(self.slots)
        for slot, constant in self.constants.items():
            arrays[slot] = constant
        for expr, slot in self.leaves.items():
            if not with_noise and expr in self.noise:
                continue
            dtype = type_of(expr, self.dtype)
            if expr.op.name == "plate_size":
                value = np.array(plan.sizes[expr.attrs["plate"]], dtype)
            else:
                value = np.asarray(leaves[expr], dtype)
                if not (value.flags.c_contiguous and value.flags.aligned):
                    value = np.array(value, order="C")
                shape = full(expr, plan.sizes)
                if value.shape != shape:
                    raise ValueError(f"a leaf has shape {value.shape}, expected {shape}")
            arrays[slot] = value
        for base in self.results:
            shape = full(base, plan.sizes)
            arrays[self.slots[base]] = np.empty(shape, type_of(base, self.dtype))
        return arrays

    def _walk(self, frame: Frame, first: int, last: int) -> None:
        """Run rows of the table; the first words of a frame's header are the driver's operands."""
        header, at = frame.header, frame.header_at
        header[0], header[1] = last - first, frame.code_at + 16 * first
        self._driver(at + 16, at + 24, at)

    def _fall_back(self, expr: Expr, plan: Plan, frame: Frame, arrays: list[np.ndarray]) -> None:
        rule = KERNELS.get(expr.op.name, _general)(expr)
        args = [self._view(arg, plan, frame, arrays) for arg in expr.args]
        target = self._view(expr, plan, frame, arrays)
        with np.errstate(all="ignore"):
            target[...] = rule(plan.sizes, *args)

    def _view(
        self, expr: Expr, plan: Plan, frame: Frame | None, arrays: list[np.ndarray]
    ) -> np.ndarray:
        """Return the array of an expression; `frame` is needed for what lies in the arena."""
        view = self.views[expr]
        slot = self.slots.get(view.base)
        if slot is not None:
            array = arrays[slot]
        else:
            assert frame is not None
            array = plan.array(frame, view.base)
        if not (is_whole(view, expr) and view.base is expr):
            array = strided(array, view, expr, plan)
        # Noise lies in a frame, which the next call overwrites.
        return array.copy() if frame is None and view.base in self.noise else array

    def profile(
        self, leaves: Mapping[Expr, Any], sizes: Sizes, rounds: int = 20
    ) -> dict[int, tuple[float, int]]:
        """Return, for each entry, the median seconds and the number of its rows in the table."""
        plan = self.plan(sizes)
        arrays = self._bind(leaves, plan)
        frame = plan.frame()
        plan.connect(frame, np.array([address(array) for array in arrays], np.int64))
        seconds = np.zeros((rounds, len(self.entries)))
        where = {id(entry): i for i, entry in enumerate(self.entries)}
        for turn in range(rounds):
            for first, last, entry in plan.segments:
                for row in range(first, last):
                    start = time.perf_counter()
                    self._walk(frame, row, row + 1)
                    seconds[turn, plan.origin[row - len(self.noise)]] += time.perf_counter() - start
                if entry is not None:
                    start = time.perf_counter()
                    self._fall_back(entry.expr, plan, frame, arrays)
                    seconds[turn, where[id(entry)]] += time.perf_counter() - start
        plan.frames.append(frame)
        median = np.median(seconds, axis=0).tolist()
        return {i: (s, max(1, plan.origin.count(i))) for i, s in enumerate(median)}

    def __str__(self) -> str:
        return table.text(self)


def address(array: np.ndarray) -> int:
    """Return where an array begins; `ndarray.ctypes` takes three times as long."""
    return array.__array_interface__["data"][0]


def strided(array: np.ndarray, view: View, expr: Expr, plan: Plan) -> np.ndarray:
    """Return a view of an expression as an array; repeated axes have a step of zero."""
    base, item = view.base, array.itemsize
    steps = dict(zip(base.plates, array.strides, strict=False))
    strides = [steps.get(plate, 0) for plate in expr.plates]
    strides += [item * s for s in view.strides]
    # An ndarray begins where its buffer does: step to the event's offset by hand.
    flat = array.reshape(-1)[view.offset :]
    return np.lib.stride_tricks.as_strided(flat, full(expr, plan.sizes), strides)
