"""Runner: checks the arguments of calls, draws noise, and runs the programs of a step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from scg.common.lazy import cached_property
from scg.engine.blocks import Sampling, merged, moments, spans
from scg.engine.program import Program
from scg.errors import CallError, did_you_mean
from scg.graph.core import CoreGraph
from scg.ir.expr import Expr
from scg.ir.plate import Plate
from scg.run.binding import Binder, as_runs
from scg.run.carried import carried
from scg.run.curvature import shapes_of
from scg.run.guard import Guard
from scg.run.result import Layout, Nested
from scg.run.state import checked_state, initial_state
from scg.seeds.noise import check_seed

if TYPE_CHECKING:
    from scg.compiler.plan import Plan
    from scg.compiler.surrogate import Surrogate

Sizes = Mapping[Plate, int]


@dataclass(repr=False)
class Runner:
    """The products that a step consists of, and their runs; users call its subclass `Step`."""

    graph: CoreGraph
    plan: Plan
    surrogate: Surrogate
    program: Program
    curvature: Program | None = None
    check_finite: bool = False

    def __post_init__(self) -> None:
        self._costs = list(self.graph.costs)

    def __reduce__(self) -> Any:
        raise TypeError(
            f"a step of graph {self.graph.name!r} cannot be pickled, because it holds compiled "
            "programs; pickle step.graph, and call scg.compile where it arrives. Of what holds a "
            "step, such as scg.moments, pickle the arrays"
        )

    def __copy__(self) -> Any:
        return self  # nothing in it changes, as in a function

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        return self

    @property
    def source(self) -> str:
        """The text of the compiled kernels; empty with ``backend="numpy"``."""
        return self.program.source

    @cached_property
    def layout(self) -> Layout:
        """Properties that all results share."""
        keys: dict[str, list[tuple[str, Any]]] = {"costs": [], "grads": [], "data_grads": []}
        for key in self.program.outputs:
            if key[0] in keys:
                keys[key[0]].append((key[1], key))
        second = {} if self.curvature is None else shapes_of(self.graph)
        return Layout(self.plan.unbiased, keys["costs"], keys["grads"], keys["data_grads"], second)

    @cached_property
    def guard(self) -> Guard:
        """Checks the calls of a step that was compiled with ``check_finite=True``."""
        return Guard(self.graph, self.surrogate.first.env, self.program)

    @cached_property
    def plain(self) -> bool:
        """Whether the arguments of calls are parameters and data alone."""
        return not self.surrogate.memory and self.surrogate.first.window is None

    @property
    def any_length(self) -> bool:
        """Whether one program runs plates of all sizes."""
        return True

    def at(self, sizes: Sizes) -> Any:
        """The step that runs plates of these sizes: itself, unless it is compiled for lengths."""
        return self

    def unrolled(self, sizes: Sizes) -> Any:
        """The step of the same graph without scans."""
        return self

    # --- arguments --------------------------------------------------------------------------------
    @cached_property
    def _binder(self) -> Binder:
        return self.binder()

    @property
    def data_nodes(self) -> dict[str, Expr]:
        """The data of a call: those that the graph declares, and the values of recorded nodes."""
        return {**self.graph.data_nodes, **self.plan.given.leaves(self.graph)}

    def binder(self) -> Binder:
        """What checks the arguments of calls."""
        for name in self.graph.costs:
            if name not in self._costs:
                raise CallError(
                    f"cost {name!r} of graph {self.graph.name!r} was declared after the step was "
                    "compiled, which leaves it out; compile again: scg.compile(g)"
                )
        return Binder(self.graph, self.program.dtype, self.plan.given.leaves(self.graph))

    def checked(
        self,
        params: Mapping[str, Any],
        data: Mapping[str, Any] | None,
        state: Mapping[str, Mapping[str, Any]] | None,
        carry: Mapping[str, Any] | None = None,
    ) -> tuple[dict[str, np.ndarray], dict[Plate, int], Nested]:
        """Check parameters, data and state; return values by leaf name, plate sizes, and state."""
        if self._binder.declared != len(self.graph.roles):  # declared since
            self.__dict__["_binder"] = self.binder()
        values, sizes = self._binder.bind(params, data)
        if state is carry is None and self.plain:
            return values, sizes, {}
        memories = self.surrogate.memory.values()
        if state is None:
            memory = initial_state(memories, 0) if memories else {}
        else:
            memory = checked_state(memories, state)
        for node, entries in memory.items():
            for name, value in entries.items():
                values[f"{node}@{name}"] = value.astype(self.program.dtype, copy=False)
        window = self.surrogate.first.window
        if window is not None:
            values |= carried(window, carry, sizes, self.program.dtype)
        elif carry is not None:
            raise CallError(
                "carry: the step takes none over; compile it with stream=True and truncate="
            )
        return values, sizes, memory

    def with_keywords(
        self, data: Mapping[str, Any] | None, by_name: dict[str, Any], options: tuple[str, ...]
    ) -> dict[str, Any]:
        """The data of a call with those given by keyword, among which are misspelt options."""
        for name in by_name:
            if name not in self.graph.data_nodes and (near := did_you_mean(name, options)):
                raise CallError(f"a step has no argument {name!r}{near}")
            if name in (data or {}):
                raise CallError(f"data {name!r} is given twice: in data= and by keyword")
        return {**(data or {}), **by_name}

    # --- runs -------------------------------------------------------------------------------------
    def at_once(self, runs: int, sizes: Sizes) -> int:
        """How many of some runs :meth:`sampler` takes."""
        if self.check_finite:
            return min(runs, self.program.block_length(sizes))
        return self.program.at_once(runs, sizes)

    def sampler(self, values: Mapping[str, Any], sizes: Sizes, runs: int) -> Sampling:
        """Computes moments of all outputs from a seed and the first of `runs` runs."""
        if not self.check_finite:  # kernels draw their own noise
            return self.program.sampler(values, sizes, runs)

        def sample(seed: Any, first: int) -> dict[Any, Any]:
            noise = self.program.draw_noise(seed, range(first, first + runs), sizes)
            return moments(self.on_noise(values, noise, sizes, runs))

        return sample

    def each_block(
        self, values: Mapping[str, Any], sizes: Sizes, seed: Any, runs: int, first: int = 0
    ) -> Iterator[dict[Any, np.ndarray]]:
        """The outputs of blocks of runs of a seed from `first` on, with a leading axis of runs."""
        check_seed(seed)
        for block in self.program.blocks(as_runs(runs), sizes):
            block = range(first + block.start, first + block.stop)
            if self.check_finite:
                noise = self.program.draw_noise(seed, block, sizes)
                yield self.on_noise(values, noise, sizes, len(block))
            else:
                yield spread(self.program.sample(values, seed, block, sizes), len(block))

    def products(
        self, curvature: Program, values: Mapping[str, Any], sizes: Sizes, seed: Any, runs: int
    ) -> dict[str, np.ndarray]:
        """The mean product of the Hessian and a direction, which is among the values."""
        found = merged(
            (block, curvature.sampler(values, sizes, len(block))(seed, block.start))
            for block in spans(runs, curvature.at_once(runs, sizes))
        )
        return {key[1]: np.array(value) for key, value in found.items() if key[0] == "hessian"}

    def name_invalid(self, values: Mapping[str, Any], sizes: Sizes, seed: Any, runs: int) -> None:
        """Repeat the runs of a seed and raise if an argument of a distribution is invalid."""
        for block in self.program.blocks(runs, sizes):
            self.guard.before(values, self.program.draw_noise(seed, block, sizes), sizes)

    def outcomes(
        self, values: Mapping[str, Any], noise: Mapping[str, Any], sizes: Sizes, runs: int = 1
    ) -> dict[Any, np.ndarray]:
        """The outputs on noise by leaf name, with a leading axis of runs."""
        return spread(self.program.run(values, noise, sizes), runs)

    def on_noise(
        self, values: Mapping[str, Any], noise: Mapping[str, Any], sizes: Sizes, runs: int
    ) -> dict[Any, np.ndarray]:
        """The outputs on given noise, checked where the step was compiled to check."""
        if self.check_finite:
            self.guard.before(values, noise, sizes)
        out = self.outcomes(values, noise, sizes, runs)
        if self.check_finite:
            self.guard.after(out, values, noise, sizes)
        return out


def spread(out: dict[Any, np.ndarray], runs: int) -> dict[Any, np.ndarray]:
    """Repeat outputs that depend on no noise over the runs."""
    runs = max([runs, *map(len, out.values())])
    return {
        key: v if len(v) == runs else np.broadcast_to(v, (runs, *v.shape[1:]))
        for key, v in out.items()
    }
