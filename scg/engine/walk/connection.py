"""A connection: an executable tied to arrays and to a frame of its own, ready to run."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from scg.engine.interpreter import KERNELS, Interpreter, Sizes, _general, full
from scg.engine.table.buffers import ALIGNMENT, aligned, bytes_of, type_of
from scg.ir.expr import Expr
from scg.schedule.lower import View, is_whole
from scg.seeds.noise import seed_word

if TYPE_CHECKING:
    from scg.engine.table.plan import Plan, Walk
    from scg.engine.walk.executable import Executable


#: Pieces of memory for results that are watched for reuse.
MEMORIES = 4


class Input(NamedTuple):
    """A leaf that a call brings."""

    leaf: Expr
    slot: int
    dtype: np.dtype
    shape: tuple[int, ...]
    is_noise: bool


class Ports:
    """The arrays of a call that do not lie in its frame, by slot, for given sizes of the plates.

    Constants and sizes are made here, once. Results are cut from one piece of memory, so that a
    call asks for memory, and for its address, once.
    """

    def __init__(self, executable: Executable, sizes: Sizes):
        real = executable.dtype
        self.slots = executable.slots
        self.fixed = dict(executable.constants)
        self.inputs: list[Input] = []
        for leaf, slot in executable.leaves.items():
            dtype = type_of(leaf, real)
            if leaf.op.name == "plate_size":
                self.fixed[slot] = np.array(sizes[leaf.attrs["plate"]], dtype)
            else:
                shape = full(leaf, sizes)
                self.inputs.append(Input(leaf, slot, dtype, shape, leaf in executable.noise))
        self.at = np.zeros(len(self.slots), np.int64)
        for slot, array in self.fixed.items():
            self.at[slot] = address(array)
        lengths = [aligned(bytes_of(base, sizes, real)) for base in executable.results]
        ends = np.cumsum([0, *lengths]).tolist()
        self.bytes = ends[-1]
        self.results = [
            (executable.slots[base], full(base, sizes), type_of(base, real), start)
            for base, start in zip(executable.results, ends, strict=False)
        ]
        self._starts = np.array(ends[:-1], np.int64)  # results have the last slots
        self._memories: deque[np.ndarray] = deque()

    def open(
        self, leaves: Mapping[Expr, Any], drawing: bool
    ) -> tuple[dict[int, np.ndarray], np.ndarray]:
        """Return arrays by slot, new ones for the results, and their addresses."""
        arrays, at = self.fixed.copy(), self.at.copy()
        for leaf, slot, dtype, shape, is_noise in self.inputs:
            if drawing and is_noise:
                continue
            array = np.asarray(leaves[leaf], dtype)
            flags = array.flags
            if not (flags.c_contiguous and flags.aligned):
                array = np.array(array, order="C")
            if array.shape != shape:
                raise ValueError(f"a leaf has shape {array.shape}, expected {shape}")
            arrays[slot] = array
            at[slot] = address(array)
        memory = self._free_memory()
        start = address(memory)
        skip = -start % ALIGNMENT
        for slot, shape, dtype, offset in self.results:
            arrays[slot] = np.ndarray(shape, dtype, memory, skip + offset)
        np.add(self._starts, start + skip, at[len(at) - len(self._starts) :])
        self._memories.append(memory)  # from here on the results hold it
        return arrays, at

    def _free_memory(self) -> np.ndarray:
        """Return memory for results: that of earlier ones that nobody holds, or else new.

        Large pieces that are new cost more than many a kernel: the system maps them page by page.
        """
        for _ in range(len(self._memories)):
            try:
                memory = self._memories.popleft()
            except IndexError:  # other threads took the rest
                break
            if sys.getrefcount(memory) == _UNSHARED:
                return memory
            if len(self._memories) < MEMORIES:
                self._memories.append(memory)
        return np.empty(self.bytes + ALIGNMENT, np.uint8)


def _unshared() -> int:
    """Return the references that Python counts where one variable holds an array."""
    memories = deque([np.empty(0)])
    memory = memories.popleft()
    return sys.getrefcount(memory)


#: Versions of Python differ: some do not count a variable that asks.
_UNSHARED = _unshared()


class Connection:
    """An executable tied to the arrays of a call.

    Parameters
    ----------
    executable : Executable
        What runs.
    leaves : mapping
        An array for each expression of ``executable.leaves``, plate sizes excepted. They are
        read where they are, if they are C-contiguous arrays of the leaf's type.
    sizes : mapping
        The number of elements of each plate.
    drawing : bool
        Whether each run draws the noise of a seed; `leaves` then need not hold it.

    Attributes
    ----------
    outputs : dict
        The outputs by key, which every run overwrites.
    """

    def __init__(
        self, executable: Executable, leaves: Mapping[Expr, Any], sizes: Sizes, drawing: bool
    ):
        self.plan = plan = executable.plan(sizes)
        self.arrays, self.at = plan.ports.open(leaves, drawing)
        self.frame = frame = plan.frame()
        self._seed = frame.seed
        self._executable, self._drawing, self._first = executable, drawing, -1
        if drawing:
            self.at[executable.noise_slots] = frame.noise_at
            for slot, array in plan.noise_arrays(frame) if executable.noise_is_read else ():
                self.arrays[slot] = array
        plan.connect(frame, self.at)
        self._calls = [self.caller(w) for w in (frame.drawing if drawing else frame.reading)]
        self.outputs: dict[Any, Any] = {}
        self._views: list[tuple[Any, np.ndarray]] = []
        for key, (expr, slot) in executable.finals.items():
            if slot is None:
                view = self.view(expr)
                self._views.append((key, view))
                self.outputs[key] = np.empty(view.shape, view.dtype)
            else:
                self.outputs[key] = self.arrays[slot]

    def run(self, seed: Any = None, first_run: int = 0) -> dict[Any, np.ndarray]:
        """Run, on the noise of a seed if the connection draws; return :attr:`outputs`."""
        if self._drawing:
            self._seed[0], self._seed[1] = seed_word(seed)
            if first_run != self._first:
                self.frame.first_run[...] = self._first = first_run
        for call in self._calls:
            if call():
                self.explain()
                raise IndexError("an index is out of bounds")
        return self.results() if self._views else self.outputs

    def results(self) -> dict[Any, np.ndarray]:
        """Return the outputs of the last run."""
        # Not to be handed out: what shows arrays of the caller's, or noise of a frame.
        for key, array in self._views:
            np.copyto(self.outputs[key], array)
        return self.outputs

    def explain(self) -> None:
        """Raise what the interpreter raises: kernels only know that an index is out of bounds."""
        if self._drawing:
            for slot, array in self.plan.noise_arrays(self.frame):
                self.arrays[slot] = array
        executable = self._executable
        leaves = {leaf: self.arrays[slot] for leaf, slot in executable.leaves.items()}
        Interpreter(executable.declared, executable.dtype).run(leaves, self.plan.sizes)

    def caller(self, what: Walk) -> Callable[[], Any]:
        """Return what runs stages, or an op; it returns what is true where that failed."""
        return Python(self, what) if isinstance(what, Expr) else what

    def view(self, expr: Expr) -> np.ndarray:
        """Return the array of an expression."""
        view = self._executable.views[expr]
        slot = self.plan.ports.slots.get(view.base)
        base = self.plan.array(self.frame, view.base) if slot is None else self.arrays[slot]
        if is_whole(view, expr) and view.base is expr:
            return base
        return strided(base, view, expr, self.plan)

    def __del__(self) -> None:
        if "frame" in self.__dict__:
            self.plan.frames.append(self.frame)


class Python:
    """An op that NumPy computes, on the arrays of a connection."""

    def __init__(self, connection: Connection, expr: Expr):
        self._rule = KERNELS.get(expr.op.name, _general)(expr)
        self._sizes = connection.plan.sizes
        self._args = [connection.view(arg) for arg in expr.args]
        self._target = connection.view(expr)

    def __call__(self) -> None:
        """Compute it."""
        with np.errstate(all="ignore"):
            self._target[...] = self._rule(self._sizes, *self._args)


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
