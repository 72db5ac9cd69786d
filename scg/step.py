"""A compiled step: what a user calls."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from scg.binding import bind, bind_noise
from scg.curvature import assemble, directions
from scg.engine.noise import check_seed, stream_key
from scg.engine.program import Program
from scg.errors import CallError
from scg.expr import Plate
from scg.graph import Graph
from scg.guard import Guard
from scg.passes.plan import Plan
from scg.passes.surrogate import Surrogate

if TYPE_CHECKING:
    from scg.engine.table import Profile
    from scg.explain import Explanation

Nested = dict[str, dict[str, np.ndarray]]


@dataclass(frozen=True)
class Result:
    """What one call of a step returns, averaged over its runs.

    Attributes
    ----------
    cost : float
        The estimate of the objective.
    costs : dict
        The contribution of each cost.
    grads : dict
        The gradient estimate, with the keys and shapes of the parameters.
    stderr : dict
        Standard errors of `grads` over the runs; NaN for a single run.
    state : dict
        The estimators' own parameters, unchanged, and their new state: node, then name.
    estimator_grads : dict
        Gradients of the estimators' own parameters: node, then name.
    hessian : dict
        With ``order=2``: ``hessian["a"]["b"]`` of shape ``a.shape + b.shape``.
    unbiased : bool
        Whether every estimator is unbiased.
    runs : int
        The number of runs.
    """

    cost: float
    costs: dict[str, float]
    grads: dict[str, np.ndarray]
    stderr: dict[str, np.ndarray]
    state: Nested
    estimator_grads: Nested
    hessian: Nested
    unbiased: bool
    runs: int


@dataclass
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

    graph: Graph
    plan: Plan
    surrogate: Surrogate
    program: Program
    curvature: Program | None = field(default=None, repr=False)
    check_finite: bool = False

    def __call__(
        self,
        params: Mapping[str, Any],
        *,
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
            its constraint, or if data that are observed lie outside their law's support.
        """
        data = {**(data or {}), **by_name}
        values, sizes, memory = self.bound(params, data, state)
        total: dict[Any, Any] = {}
        squares: dict[Any, Any] = {}
        count = 0
        for size, moments in self._moments(values, sizes, seed, runs, noise):
            for key, (mean, spread) in moments.items():
                if count:
                    delta = mean - total[key]
                    share = size / (count + size)
                    spread = squares[key] + spread + delta**2 * (count * share)
                    mean = total[key] + delta * share
                total[key], squares[key] = mean, spread
            count += size
        stderr = {
            key[1]: np.sqrt(squares[key] / (count - 1) / count)
            if count > 1
            else np.full(np.shape(total[key]), np.nan)
            for key in total
            if key[0] == "grads"
        }
        return Result(
            cost=float(total[("cost",)]),
            costs={key[1]: float(total[key]) for key in total if key[0] == "costs"},
            grads={key[1]: total[key] for key in total if key[0] == "grads"},
            stderr=stderr,
            state=nest(memory, total, "state"),
            estimator_grads=nest({}, total, "own"),
            hessian=assemble(self.graph, total) if self.curvature else {},
            unbiased=self.plan.unbiased,
            runs=count,
        )

    def init(self, seed: int | tuple[int, ...]) -> Nested:
        """Return the initial state and own parameters of the estimators: node, then name."""
        check_seed(seed)
        state: Nested = {}
        for memory in self.surrogate.memory.values():
            state[memory.node] = {}
            for name, init in memory.initial.items():
                words = stream_key(seed, f"memory:{memory.node}@{name}")
                value = init(np.random.default_rng([int(word) for word in words]))
                state[memory.node][name] = np.asarray(value, dtype=float)
        return state

    def noise(
        self, seed: int | tuple[int, ...], runs: int = 1, data: Mapping[str, Any] | None = None
    ) -> dict[str, np.ndarray]:
        """Return the noise of `runs` runs by leaf name, each of shape (runs, plates, event).

        `data` gives the sizes of plates that have no fixed length.
        """
        _, sizes = bind(self.graph, {}, data, self.program.dtype, needed=set())
        self._check_sizes(sizes)
        return self._all_noise(seed, range(_runs(runs)), sizes)

    def explain(self) -> Explanation:
        """Say which term was attached to which node, and why."""
        from scg.explain import explain

        return explain(self)

    def draw(self, path: str | None = None) -> Any:
        """Draw the surrogate; see :func:`scg.draw.dot.draw_step`."""
        from scg.draw.dot import draw_step

        return draw_step(self, path)

    def _repr_svg_(self) -> str | None:
        return self.draw()._repr_svg_()

    @property
    def source(self) -> str:
        """The text of the compiled kernels; empty with ``backend="numpy"``."""
        return self.program.source

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
        values, sizes, _ = self.bound(params, data, state)
        return self.program.profile(values, seed, sizes, rounds)

    # --- inside ----------------------------------------------------------------------------------
    @property
    def programs(self) -> tuple[Program, ...]:
        """The program and, with ``order=2``, the curvature."""
        return (self.program,) if self.curvature is None else (self.program, self.curvature)

    def bound(
        self,
        params: Mapping[str, Any],
        data: Mapping[str, Any] | None,
        state: Mapping[str, Mapping[str, Any]] | None,
    ) -> tuple[dict[str, np.ndarray], dict[Plate, int], Nested]:
        """Check parameters, data and state; return values by leaf name, plate sizes, and state."""
        values, sizes = bind(self.graph, params, data, self.program.dtype)
        memory = self._check_state(state)
        for node, entries in memory.items():
            for name, value in entries.items():
                values[f"{node}@{name}"] = value.astype(self.program.dtype)
        return values, sizes, memory

    def _moments(
        self,
        values: Mapping[str, Any],
        sizes: Mapping[Plate, int],
        seed: Any,
        runs: int,
        noise: Mapping[str, Any] | None,
    ) -> Iterator[tuple[int, dict[Any, tuple[Any, Any]]]]:
        """Yield, for blocks of runs, their number and the moments of every output."""
        reduced = self.program.backend != "numpy" and not (self.curvature or self.check_finite)
        if reduced and noise is None and seed is not None and _runs(runs) > 1:
            check_seed(seed)
            for block in self.program.blocks(runs, sizes):
                yield len(block), self.program.averages(values, seed, block, sizes)
            return
        for out in self.each_block(values, sizes, seed, runs, noise):
            size = len(next(iter(out.values())))
            yield size, {key: _moments(v, key[0] == "grads") for key, v in out.items()}

    def each_block(
        self,
        values: Mapping[str, Any],
        sizes: Mapping[Plate, int],
        seed: Any,
        runs: int,
        noise: Mapping[str, Any] | None,
    ) -> Iterator[dict[Any, np.ndarray]]:
        """Yield the outputs of blocks of runs, each with a leading axis of runs."""
        if (seed is None) == (noise is None):
            raise CallError(
                "a step needs a seed and has no default: step(params, seed=1)"
                if seed is None
                else "give either seed= or noise=, not both"
            )
        if noise is not None:
            yield self._checked(values, self._given_noise(noise, sizes), sizes, 1)
            return
        check_seed(seed)
        for block in self.program.blocks(_runs(runs), sizes):
            if self.curvature is None and not self.check_finite:
                yield _spread(self.program.sample(values, seed, block, sizes), len(block))
                continue
            yield self._checked(values, self._all_noise(seed, block, sizes), sizes, len(block))

    @cached_property
    def guard(self) -> Guard:
        """What checks the calls of a step that was compiled with ``check_finite=True``."""
        return Guard(self)

    def _checked(
        self, values: Mapping[str, Any], noise: Mapping[str, Any], sizes: Any, runs: int
    ) -> dict[Any, np.ndarray]:
        if self.check_finite:
            self.guard.before(values, noise, sizes)
        out = self.outcomes(values, noise, sizes, runs)
        if self.check_finite:
            self.guard.after(out, values, noise, sizes)
        return out

    def outcomes(
        self, values: Mapping[str, Any], noise: Mapping[str, Any], sizes: Any, runs: int = 1
    ) -> dict[Any, np.ndarray]:
        """Run on given noise; every output has a leading axis of runs."""
        out = self.program.run(values, _restrict(noise, self.program), sizes)
        if self.curvature is not None:
            used = _restrict(noise, self.curvature)
            rows = [
                self.curvature.run({**values, **direction}, used, sizes)
                for direction in directions(self.graph)
            ]
            out |= {key: np.stack([row[key] for row in rows], axis=1) for key in rows[0]}
        return _spread(out, runs)

    def _all_noise(self, seed: Any, runs: range, sizes: Any) -> dict[str, np.ndarray]:
        noise: dict[str, np.ndarray] = {}
        for program in self.programs:
            noise |= program.draw_noise(seed, runs, sizes)
        return noise

    def _given_noise(self, noise: Mapping[str, Any], sizes: Any) -> dict[str, np.ndarray]:
        leaves = {name: e for program in self.programs for name, e in program.noise.items()}
        return bind_noise(noise, leaves, sizes, self.program.dtype)

    def _check_sizes(self, sizes: Mapping[Plate, int]) -> None:
        for program in self.programs:
            for name, leaf in program.noise.items():
                for plate in leaf.plates:
                    if plate not in sizes and plate.length is None:
                        raise CallError(
                            f"noise {name!r} lies on plate {plate.name!r}, whose size comes from "
                            "data: step.noise(seed=1, data={...})"
                        )

    def _check_state(self, given: Mapping[str, Mapping[str, Any]] | None) -> Nested:
        if given is None:
            return self.init(seed=0)
        if not isinstance(given, Mapping):
            raise CallError(f"state: expected a mapping from node names, got {given!r}")
        checked: Nested = {}
        for memory in self.surrogate.memory.values():
            entries = given.get(memory.node)
            checked[memory.node] = {}
            for name, leaf in memory.leaves.items():
                if entries is None or name not in entries:
                    raise CallError(
                        f"state of node {memory.node!r} lacks {name!r}; start with "
                        "state = step.init(seed=0)"
                    )
                value = np.asarray(entries[name], dtype=float)
                if value.shape != leaf.shape:
                    raise CallError(
                        f"state {name!r} of node {memory.node!r}: expected shape {leaf.shape}, "
                        f"got {value.shape}"
                    )
                checked[memory.node][name] = value
        for node, entries in given.items():
            if node not in checked:
                raise CallError(f"state of node {node!r}: its estimator keeps none")
            for name in entries:
                if name not in checked[node]:
                    raise CallError(
                        f"state of node {node!r} has an unknown entry {name!r}; its estimator "
                        f"keeps {', '.join(map(repr, checked[node]))}"
                    )
        return checked


def _moments(value: np.ndarray, with_spread: bool) -> tuple[Any, Any]:
    """Return the mean over runs and, if asked for, the sum of squared deviations from it."""
    if len(value) == 1:  # a copy: an output may be a view of what the user gave
        return value[0].copy(), 0.0
    mean = value.mean(axis=0)
    return mean, ((value - mean) ** 2).sum(axis=0) if with_spread else 0.0


def _spread(out: dict[Any, np.ndarray], runs: int) -> dict[Any, np.ndarray]:
    """Repeat outputs that depend on no noise over the runs."""
    runs = max([runs, *map(len, out.values())])
    return {
        key: v if len(v) == runs else np.broadcast_to(v, (runs, *v.shape[1:]))
        for key, v in out.items()
    }


def _restrict(noise: Mapping[str, Any], program: Program) -> dict[str, Any]:
    return {name: noise[name] for name in program.noise}


def _runs(runs: Any) -> int:
    if not isinstance(runs, (int, np.integer)) or isinstance(runs, bool) or runs < 1:
        raise CallError(f"runs must be a positive integer, got {runs!r}")
    return int(runs)


def nest(start: Mapping[str, Mapping[str, Any]], out: Mapping[Any, Any], kind: str) -> Nested:
    """Arrange outputs of one kind as node, then name, over what was there before."""
    nested: Nested = {node: dict(entries) for node, entries in start.items()}
    for key, value in out.items():
        if key[0] == kind:
            nested.setdefault(key[1], {})[key[2]] = np.asarray(value)
    return nested
