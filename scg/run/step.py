"""A compiled step: what a user calls."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np

from scg.arguments import checked, kind
from scg.compiler.plan import Plan
from scg.compiler.surrogate import Surrogate
from scg.draw.dot import draw_plan
from scg.engine.blocks import Sampling
from scg.engine.program import Program, moments
from scg.errors import CallError, did_you_mean
from scg.explain.explanation import Explanation, explain
from scg.graph.core import CoreGraph
from scg.ir.plate import Plate
from scg.lazy import cached_property
from scg.run.binding import Binder, as_runs, bind
from scg.run.bound_step import BoundStep
from scg.run.curvature import shapes_of
from scg.run.guard import Guard
from scg.run.outcomes import Outcomes, spread
from scg.run.result import Layout, Nested, Result
from scg.run.state import checked_state, initial_state
from scg.seeds.noise import check_seed

if TYPE_CHECKING:
    from scg.engine.profile import Profile


@kind("a step, as scg.compile returns it")
@dataclass(repr=False)
class Step:
    """A compiled graph: call it with parameters and a seed.

    Attributes
    ----------
    graph : Graph
        The declared graph.
    plan : Plan
        Node to estimator, with reasons; printable.
    surrogate : Surrogate
        The surrogate's expressions.
    program : Program
        The lowered operations; printable, and ``len`` counts them.
    curvature : Program or None
        With ``order=2``: the Hessian times a direction.
    check_finite : bool
        Whether every call is checked, see :func:`scg.compile`.
    """

    graph: CoreGraph
    plan: Plan
    surrogate: Surrogate
    program: Program
    curvature: Program | None = None
    check_finite: bool = False

    def __repr__(self) -> str:
        nodes = [f"{n.name} by {type(e).__name__}" for n, e in self.plan.estimators.items()]
        size = f"{len(self.program)} operations, backend {self.program.backend!r}"
        return f"Step({self.graph.name!r}: {', '.join([*nodes, size])})"

    def __call__(
        self,
        params: Mapping[str, Any],
        *wrong: Any,
        seed: int | tuple[int, ...] | None = None,
        runs: int = 1,
        data: Mapping[str, Any] | None = None,
        state: Mapping[str, Mapping[str, Any]] | None = None,
        noise: Mapping[str, Any] | None = None,
        **by_name: Any,
    ) -> Result:
        """Estimate the cost and its gradients.

        Parameters
        ----------
        params : mapping
            Parameters by name, as ``graph.init`` returns them.
        seed : int or tuple of int
            The seed; there is no default. Instead of it: `noise`.
        runs : int
            Number of independent runs that are averaged.
        data : mapping, optional
            Data by name; single ones also by keyword, ``step(params, seed=1, x=batch)``.
        state : mapping, optional
            The estimators' state and own parameters; without it their initial values.
        noise : mapping, optional
            Noise by leaf name, as :meth:`noise` returns it.

        Raises
        ------
        CallError
            If something is missing, unknown, or of another shape, if a law's parameter violates
            its constraint, or if data that are observed lie outside their law's support. What
            data and samples make of a parameter is checked if the cost is NaN; always with
            ``check_finite=True``.
        """
        if wrong:
            raise CallError(
                "a step takes its other arguments by name: step(params, seed=1, data={...})"
            )
        if by_name:
            data = self._with(data, by_name, ("seed", "runs", "data", "state", "noise"))
        values, sizes, memory = self.checked(params, data, state)
        if seed is not None and noise is None:
            runs, program = as_runs(runs), self.program
            if self._is_plain and (runs == 1 or runs == program.at_once(runs, sizes)):
                found = program.estimate(values, sizes, runs, seed)
            else:
                found = BoundStep(self, values, sizes, memory, runs, self.layout).moments(seed)
            result = Result(found, runs, memory, self.layout)
            if math.isnan(result.cost):
                self._name_invalid(values, sizes, seed, runs)
            return result
        if noise is None or seed is not None:
            raise CallError(
                "a step needs a seed and has no default: step(params, seed=1)"
                if noise is None
                else "give either seed= or noise=, not both"
            )
        out = self._guarded(values, self.outcomes.given(noise, sizes), sizes, 1)
        return Result(moments(out), len(out["cost",]), memory, self.layout)

    @checked("step.bind(params, data={...})")
    def bind(
        self,
        params: Mapping[str, Any],
        *,
        runs: int = 1,
        data: Mapping[str, Any] | None = None,
        state: Mapping[str, Mapping[str, Any]] | None = None,
        **by_name: Any,
    ) -> BoundStep:
        """Tie the step to its arguments: what is returned takes a seed, and is cheap to call.

        Parameters and data are checked now. C-contiguous arrays of the step's type are read where
        they are, so that changing them in place changes the next call; others are copied.

        Parameters
        ----------
        params, runs, data, state
            As for a call.

        Returns
        -------
        BoundStep
            ``fast(seed)`` returns what ``step(params, seed=seed, ...)`` does, in a result that the
            next call overwrites.

        Raises
        ------
        CallError
            As for a call.

        Examples
        --------
        >>> import scg
        >>> g = scg.Graph("toy")
        >>> b = g.sample("b", scg.Bernoulli(logits=g.parameter("theta", 0.4)))
        >>> g.cost("loss", (b - 0.499) ** 2)
        >>> step, params = scg.compile(g, scg.ScoreFunction()), g.init(seed=0)
        >>> fast = step.bind(params)
        >>> fast(7).cost == step(params, seed=7).cost
        True
        """
        if "seed" in by_name:
            raise CallError("step.bind takes no seed: fast = step.bind(params), then fast(seed)")
        if by_name:
            data = self._with(data, by_name, ("runs", "data", "state"))
        return BoundStep(self, *self.checked(params, data, state), as_runs(runs), self.layout)

    @checked("step.init(seed=0)")
    def init(self, seed: int | tuple[int, ...]) -> Nested:
        """Return the initial state and own parameters of the estimators: node, then name."""
        return initial_state(self.surrogate.memory.values(), seed)

    @checked("step.noise(seed=0, runs=10)")
    def noise(
        self, seed: int | tuple[int, ...], runs: int = 1, data: Mapping[str, Any] | None = None
    ) -> dict[str, np.ndarray]:
        """Return the noise of `runs` runs by leaf name, each of shape (runs, plates, event).

        `data` gives the sizes of plates that have no fixed length.
        """
        _, sizes = bind(self.graph, {}, data, self.program.dtype, needed=set())
        self.outcomes.check_sizes(sizes)
        return self.outcomes.draw(seed, range(as_runs(runs)), sizes)

    def explain(self) -> Explanation:
        """Say which term was attached to which node, and why."""
        return explain(self.surrogate, self.program)

    @checked('step.draw("surrogate.svg")')
    def draw(self, path: str | PathLike[str] | None = None, *, level: str = "surrogate") -> Any:
        """Draw the "surrogate" or the "schedule"; see :mod:`scg.draw.dot` and `schedule`."""
        if level == "surrogate":
            return draw_plan(self.plan, path)
        if level != "schedule":
            raise CallError(f'draw: level must be "surrogate" or "schedule", got {level!r}')
        from scg.draw.schedule import draw_schedule  # it loads the engine

        return draw_schedule(self.program, path)

    def _repr_svg_(self) -> str | None:
        return self.draw()._repr_svg_()

    @property
    def stages(self) -> dict[str, Any]:
        """The products of the pipeline by name, in its order; each is a value that prints.

        They are the graph, its influence, the plan, the surrogate, the program and, with
        ``backend="numba"``, the schedule and the table that kernels run.

        Examples
        --------
        >>> import scg
        >>> g = scg.Graph("toy")
        >>> b = g.sample("b", scg.Bernoulli(logits=g.parameter("theta", 0.4)))
        >>> g.cost("loss", b)
        >>> step = scg.compile(g, scg.LeaveOneOut(samples=4))
        >>> print(step.stages["influence"])
        b influences loss
        >>> print(step.stages["surrogate"])
        S = mean over 4 draws of b [ ⊠(ℓ(b)) · loss ]
          + mean over 4 draws of b [ t(b) ]
        """
        found = {
            "graph": self.graph,
            "influence": self.plan.influence,
            "plan": self.plan,
            "surrogate": self.surrogate,
            "program": self.program,
        }
        if self.program.backend == "numba":
            table = self.program.engine()
            found |= {"schedule": table.schedule, "table": table}
        return found

    @property
    def source(self) -> str:
        """The text of the compiled kernels; empty with ``backend="numpy"``."""
        return self.program.source

    @checked("step.profile(params)")
    def profile(
        self,
        params: Mapping[str, Any],
        *,
        seed: int | tuple[int, ...] = 0,
        data: Mapping[str, Any] | None = None,
        state: Mapping[str, Mapping[str, Any]] | None = None,
        rounds: int = 20,
    ) -> Profile:
        """Time every entry of the table in `rounds` single runs; print the result.

        Raises
        ------
        CallError
            With ``backend="numpy"``, which has no table.
        """
        if self.program.backend == "numpy":
            raise CallError('only a compiled step has a profile: scg.compile(g, backend="numba")')
        values, sizes, _ = self.checked(params, data, state)
        return self.program.profile(values, seed, sizes, rounds)

    # --- inside ----------------------------------------------------------------------------------
    @cached_property
    def layout(self) -> Layout:
        """What all results have in common."""
        keys: dict[str, list[tuple[str, Any]]] = {"costs": [], "grads": []}
        for key in self.program.outputs:
            if key[0] in keys:
                keys[key[0]].append((key[1], key))
        second = {} if self.curvature is None else shapes_of(self.graph)
        return Layout(self.plan.unbiased, keys["costs"], keys["grads"], second)

    @cached_property
    def _is_plain(self) -> bool:
        """Whether a call is one of the program's, which may draw its noise where it runs."""
        return self.curvature is None and not self.check_finite

    @cached_property
    def outcomes(self) -> Outcomes:
        """What runs the programs on given noise."""
        return Outcomes(self.graph, self.program, self.curvature)

    @cached_property
    def guard(self) -> Guard:
        """What checks the calls of a step that was compiled with ``check_finite=True``."""
        return Guard(self.graph, self.surrogate.first.env, self.program)

    def checked(
        self,
        params: Mapping[str, Any],
        data: Mapping[str, Any] | None,
        state: Mapping[str, Mapping[str, Any]] | None,
    ) -> tuple[dict[str, np.ndarray], dict[Plate, int], Nested]:
        """Check parameters, data and state; return values by leaf name, plate sizes, and state."""
        if self._binder.declared != len(self.graph.roles):
            self.__dict__["_binder"] = Binder(self.graph, self.program.dtype)
        values, sizes = self._binder.bind(params, data)
        memories = self.surrogate.memory
        if state is None:
            memory = self.init(seed=0) if memories else {}
        else:
            memory = checked_state(memories.values(), state)
        for node, entries in memory.items():
            for name, value in entries.items():
                values[f"{node}@{name}"] = value.astype(self.program.dtype, copy=False)
        return values, sizes, memory

    def _with(
        self, data: Mapping[str, Any] | None, by_name: dict[str, Any], options: tuple[str, ...]
    ) -> dict[str, Any]:
        """Add data that are given by keyword, where a misspelt option ends up, too."""
        for name in by_name:
            near = did_you_mean(name, options)
            if near and name not in self.graph.data_nodes:
                raise CallError(f"a step has no argument {name!r}{near}")
            if name in (data or {}):
                raise CallError(f"data {name!r} is given twice: in data= and by keyword")
        return {**(data or {}), **by_name}

    @cached_property
    def _binder(self) -> Binder:
        return Binder(self.graph, self.program.dtype)

    def at_once(self, runs: int, sizes: Mapping[Plate, int]) -> int:
        """Return how many of some runs :meth:`sampler` takes."""
        if self._is_plain:
            return self.program.at_once(runs, sizes)
        return min(runs, self.program.block_length(sizes))

    def sampler(self, values: Mapping[str, Any], sizes: Mapping[Plate, int], runs: int) -> Sampling:
        """Return what computes moments of every output from a seed and the first of `runs` runs."""
        if self._is_plain:
            return self.program.sampler(values, sizes, runs)

        def guarded(seed: Any, first: int) -> dict[Any, Any]:
            noise = self.outcomes.draw(seed, range(first, first + runs), sizes)
            return moments(self._guarded(values, noise, sizes, runs))

        return guarded

    def each_block(
        self,
        values: Mapping[str, Any],
        sizes: Mapping[Plate, int],
        seed: Any,
        runs: int,
    ) -> Iterator[dict[Any, np.ndarray]]:
        """Yield the outputs of blocks of runs of a seed, each with a leading axis of runs."""
        check_seed(seed)
        for block in self.program.blocks(as_runs(runs), sizes):
            if self._is_plain:
                yield spread(self.program.sample(values, seed, block, sizes), len(block))
                continue
            yield self._guarded(values, self.outcomes.draw(seed, block, sizes), sizes, len(block))

    def _name_invalid(
        self, values: Mapping[str, Any], sizes: Mapping[Plate, int], seed: Any, runs: int
    ) -> None:
        """Raise if a parameter of a distribution or an observation is invalid, by its node's name.

        It repeats the runs of a seed, and is therefore called where the cost is NaN.
        """
        for block in self.program.blocks(runs, sizes):
            self.guard.before(values, self.outcomes.draw(seed, block, sizes), sizes)

    def _guarded(
        self, values: Mapping[str, Any], noise: Mapping[str, Any], sizes: Any, runs: int
    ) -> dict[Any, np.ndarray]:
        if self.check_finite:
            self.guard.before(values, noise, sizes)
        out = self.outcomes(values, noise, sizes, runs)
        if self.check_finite:
            self.guard.after(out, values, noise, sizes)
        return out
