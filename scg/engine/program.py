"""Programs: named outputs over leaves, computed in independent runs."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from scg.common.lazy import building, cached_property
from scg.engine.blocks import RunMoments, Sampling, alike, longest_block, moments, spans
from scg.engine.drawing import Part, by_window, drawn
from scg.engine.interpreter import Interpreter, Sizes, full
from scg.engine.operations import listing
from scg.engine.sampler import MomentSampler
from scg.errors import CompilerError
from scg.ir import collector
from scg.ir.expr import Expr
from scg.ir.op import NOISE, SIZED
from scg.ir.plate import Plate
from scg.ir.tables import folded
from scg.ir.walk import topological
from scg.schedule.lift import lift, moments_over
from scg.schedule.sources import sources
from scg.seeds.noise import check_seed

if TYPE_CHECKING:
    from scg.engine.profile import Profile, Timing
    from scg.schedule.sweeps import StepWindows, Sweeps

#: Elements of all intermediate arrays of one block of runs.
BLOCK_ELEMENTS = 1 << 23
#: Samplers that are kept, one for each combination of plate sizes and number of runs.
SAMPLERS = 8
RUNS = Plate.internal("runs", None, rank=0)


class Engine(Protocol):
    """Computes expressions from the values of their leaves."""

    leaves: Collection[Expr]

    def run(self, leaves: Mapping[Expr, Any], sizes: Sizes) -> dict[Any, Any]:
        """Compute the outputs from an array for each leaf, and the sizes of plates."""
        ...


def _engine(backend: str) -> Callable[..., Any]:
    if backend == "numpy":
        return Interpreter
    with building:
        from scg.engine.walk.executable import Executable  # `import scg` loads no compiler

    return Executable


@dataclass(repr=False)
class Program:
    """Deterministic expressions of parameters, data, state and noise.

    Attributes
    ----------
    outputs : dict
        Expressions by key.
    dtype : numpy dtype
        Type of all floats.
    backend : {"numpy", "numba"}
        What computes it: the interpreter, or compiled kernels.
    windows : StepWindows, optional
        Where only a window of steps may be in memory; see :mod:`scg.schedule.sweeps`.
    """

    outputs: dict[Any, Expr]
    dtype: Any = np.float64
    backend: str = "numpy"
    windows: StepWindows | None = None
    _engines: dict[Any, Any] = field(default_factory=dict, repr=False)
    _elements: dict[Any, int] = field(default_factory=dict, repr=False)
    _samplers: dict[Any, MomentSampler] = field(default_factory=dict, repr=False)

    @cached_property
    def operations(self) -> list[Expr]:
        """Every operation in the order of evaluation, without leaves and constants."""
        return [expr for expr in topological(self.outputs.values()) if expr.args]

    @cached_property
    def sweeps(self) -> Sweeps | None:
        """The sweeps over windows of a single run; None without windows.

        Raises
        ------
        EstimatorError
            If the program cannot be run in windows.
        """
        if self.windows is None:
            return None
        from scg.schedule.sweeps import swept  # importing scg is to stay fast

        return swept(self.outputs, self.windows)

    @cached_property
    def leaves(self) -> list[Expr]:
        """All leaves but constants and those that follow from sizes of plates."""
        every = topological(self.outputs.values())
        found = [e for e in sources(every, self.dtype)[0] if e.op not in SIZED]
        names: dict[Any, Expr] = {}
        for leaf in found:
            other = names.setdefault((leaf.op is NOISE, leaf.attrs["name"]), leaf)
            if other is not leaf:
                raise CompilerError(f"two leaves have one name: {other!r} and {leaf!r}")
        return found

    @cached_property
    def noise(self) -> dict[str, Expr]:
        """The noise leaves by name."""
        return {e.attrs["name"]: e for e in self.leaves if e.op is NOISE}

    def __len__(self) -> int:
        return len(self.operations)

    def __str__(self) -> str:
        return self.listing if self.backend == "numpy" else str(self.engine())

    def __repr__(self) -> str:
        return f"Program({len(self)} operations, backend {self.backend!r}; print it to see them)"

    def _repr_html_(self) -> str:
        return folded(f"{len(self)} operations, backend {self.backend!r}", str(self))

    @property
    def listing(self) -> str:
        """The operations in the order of evaluation, one per line."""
        return listing(self.outputs)

    # --- running ----------------------------------------------------------------------------------
    def engine(
        self, plate: Plate | None = None, kinds: tuple[Any, ...] = (NOISE,), reduced: bool = False
    ) -> Any:
        """Engine of the outputs, lifted over `plate` in the leaves of these kinds.

        If `reduced`, it computes means and summed squared deviations over the plate.
        """
        key = (plate, kinds, reduced)
        if key not in self._engines:
            with collector.paused():  # thousands of operations are lifted
                made = self._made(plate, kinds, reduced)
            # Threads that make an engine at the same time all keep the first one.
            self._engines.setdefault(key, made)
        return self._engines[key]

    def _made(self, plate: Plate | None, kinds: tuple[Any, ...], reduced: bool) -> Any:
        lifted: Mapping[Any, Expr] = self.outputs
        if plate is not None:
            lifted = lift(lifted, plate, lambda leaf: leaf.op in kinds)
            lifted = moments_over(lifted, plate) if reduced else lifted
        make: Any = _engine(self.backend)
        if self.windows is not None:
            from scg.engine.windows import Windowed  # importing scg is to stay fast

            make = functools.partial(Windowed, make=make, windows=self.windows)
        return make(lifted, self.dtype)

    @cached_property
    def draws(self) -> bool:
        """Whether the engine draws noise by itself, where it is read."""
        return self.backend == "numba" and self.windows is None

    def draw_noise(
        self, seed: Any, runs: range, sizes: Sizes, part: tuple[Plate, range] | None = None
    ) -> dict[str, np.ndarray]:
        """Sample every noise leaf for a range of runs, which are the leading axis.

        Of the plate of a `part` only some elements are sampled; `sizes` counts all of them.
        """
        check_seed(seed)
        how = seed, runs, sizes, self.dtype
        return {name: drawn(leaf, *how, part) for name, leaf in self.noise.items()}

    @property
    def source(self) -> str:
        """Text of all compiled kernels; empty for the interpreter."""
        return getattr(self.engine(), "source", "")

    def block_length(self, sizes: Sizes) -> int:
        """Number of runs in a block of bounded memory."""
        return max(1, BLOCK_ELEMENTS // max(self._size(sizes), 1))

    def _size(self, sizes: Sizes) -> int:
        """Elements of all operations of a run, or of one window of it."""
        if self.windows is not None:
            lengths = {w.plate: w.length(w.plate.elements(sizes)) for w in self.windows.each()}
            sizes = {**sizes, **lengths}
        key = tuple(sizes.items())
        if key not in self._elements:
            self._elements[key] = sum(math.prod(full(e, sizes)) for e in self.operations)
        return self._elements[key]

    def blocks(self, runs: int, sizes: Sizes) -> Iterator[range]:
        """Split runs into ranges of bounded memory."""
        return spans(runs, alike(runs, self.block_length(sizes)))

    def run(
        self, values: Mapping[str, Any], noise: Mapping[str, np.ndarray] | None, sizes: Sizes
    ) -> dict[Any, Any]:
        """Compute the outputs once for given leaves.

        Parameters
        ----------
        values : mapping
            Parameters, data and state by name.
        noise : mapping or None
            Noise by leaf name, with a leading axis of runs. Outputs that depend on noise then have
            that axis, too. None if the program has no noise leaf.
        sizes : mapping
            Elements of each plate.
        """
        runs = next((len(array) for array in (noise or {}).values()), 1)
        if self._is_single(runs):
            noise = {name: array[0] for name, array in (noise or {}).items()}
        return self._computed(values, noise or {}, sizes, runs)

    def _computed(
        self, values: Mapping[str, Any], noise: Mapping[str, Any], sizes: Sizes, runs: int
    ) -> dict[Any, Any]:
        single, engine = self._is_single(runs), self._running(runs)
        out = engine.run(_by_name(engine, values, noise), {**sizes, RUNS: runs})
        if single:
            return {key: _own(value)[None] for key, value in out.items()}
        return self._over(runs, out, sizes)

    def sample(
        self, values: Mapping[str, Any], seed: Any, runs: range, sizes: Sizes
    ) -> dict[Any, Any]:
        """Compute the outputs for a range of runs, on the noise of a seed; see :meth:`run`."""
        if self.windows is not None:
            check_seed(seed)
            single = self._is_single(len(runs))

            def draw(leaf: Expr, part: Part | None) -> np.ndarray:
                noise = drawn(leaf, seed, runs, sizes, self.dtype, part)
                return noise[0] if single else noise

            noise = by_window(self.noise, [w.plate for w in self.windows.each()], draw)
            return self._computed(values, noise, sizes, len(runs))
        if not self.draws:
            return self.run(values, self.draw_noise(seed, runs, sizes), sizes)
        return self.tie(values, sizes, len(runs))(seed, runs.start)

    def tie(self, values: Mapping[str, Any], sizes: Sizes, runs: int) -> Sampling:
        """Function from a seed and the first of `runs` runs to every output.

        Outputs have a leading axis of runs. A compiled engine is bound to the arrays once; every
        call overwrites the results of the last one.
        """
        if not self.draws:

            def computed(seed: Any, first: int) -> dict[Any, Any]:
                out = self.sample(values, seed, range(first, first + runs), sizes)
                return {key: np.broadcast_to(x, (runs, *x.shape[1:])) for key, x in out.items()}

            return computed
        single, engine = self._is_single(runs), self._running(runs)
        leaves = _by_name(engine, values, dict.fromkeys(self.noise))
        connection = engine.connect(leaves, {**sizes, RUNS: runs}, drawing=True)
        out = connection.outputs
        shown = {k: v[None] for k, v in out.items()} if single else self._over(runs, out, sizes)

        def call(seed: Any, first: int) -> dict[Any, Any]:
            connection.run(seed, first)
            return shown

        return call

    def profile(self, values: Mapping[str, Any], seed: Any, sizes: Sizes, rounds: int) -> Profile:
        """Time every entry of a compiled program in single runs."""
        from scg.engine.profile import Profile  # importing scg is to stay fast

        engine: Any = self.engine()
        noise = {k: v[0] for k, v in self.draw_noise(seed, range(1), sizes).items()}
        found: dict[int, Timing] = engine.profile(_by_name(engine, values, noise), sizes, rounds)
        times, lines = sorted(found.items()), engine.listing()
        rows = tuple((timing.seconds, timing.rows, lines[i]) for i, timing in times)
        return Profile(rows, tuple(timing.shared > 0 for _, timing in times))

    def sampler(self, values: Mapping[str, Any], sizes: Sizes, runs: int) -> Sampling:
        """Function from a seed and the first of `runs` runs to moments; bound like :meth:`tie`."""
        if not self.draws:
            return lambda seed, first: moments(
                self.sample(values, seed, range(first, first + runs), sizes)
            )
        return self.moment_sampler(sizes, runs).bind(values)

    def estimate(self, values: Mapping[str, Any], sizes: Sizes, runs: int, seed: Any) -> RunMoments:
        """Moments of every output over `runs` runs of a seed, in new arrays."""
        if not self.draws:
            return self.sampler(values, sizes, runs)(seed, 0)
        return self.moment_sampler(sizes, runs).estimate(values, seed)

    def moment_sampler(self, sizes: Sizes, runs: int) -> MomentSampler:
        """What estimates moments of a program that draws, for these sizes."""
        key = (runs, *sizes.items())
        found = self._samplers.get(key)
        if found is None:
            for old in list(self._samplers)[: 1 - SAMPLERS]:
                self._samplers.pop(old, None)
            engine = self.engine() if runs == 1 else self.engine(RUNS, reduced=True)
            sampler = MomentSampler(engine, sizes, RUNS, runs, self._longest(runs, sizes))
            found = self._samplers.setdefault(key, sampler)
        return found

    def _longest(self, runs: int, sizes: Sizes) -> int:
        """Runs of a block of stretches; 0 for a sampler without stretches."""
        if runs == 1 or not self.draws or not self.engine(RUNS, reduced=True).merges:
            return 0
        return longest_block(runs, self._size(sizes))

    def at_once(self, runs: int, sizes: Sizes) -> int:
        """Number of runs that a sampler takes at once: all, or a block of bounded memory."""
        block = alike(runs, self.block_length(sizes))
        return runs if self._longest(runs, sizes) else block

    def _is_single(self, runs: int) -> bool:
        """Whether the runs need no axis."""
        return bool(self.noise) and runs == 1

    def _running(self, runs: int) -> Any:
        """The engine of so many runs."""
        return self.engine(RUNS if self.noise and not self._is_single(runs) else None)

    def _over(self, runs: int, out: Mapping[Any, Any], sizes: Sizes) -> dict[Any, Any]:
        return {
            key: np.broadcast_to(value, (runs, *full(self.outputs[key], sizes)))
            for key, value in out.items()
        }


def _own(value: Any) -> np.ndarray:
    """Array that is not a view of a user's array."""
    array = np.asarray(value)
    return array if array.flags.owndata else array.copy()


def _by_name(
    engine: Engine, values: Mapping[str, Any], noise: Mapping[str, Any]
) -> dict[Expr, Any]:
    return {
        leaf: (noise if leaf.op is NOISE else values)[leaf.attrs["name"]]
        for leaf in engine.leaves
        if leaf.op not in SIZED
    }
