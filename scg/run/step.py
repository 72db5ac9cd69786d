"""Step: the compiled graph that users call."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from scg.common.arguments import checked, kind
from scg.common.named import Named
from scg.engine.blocks import moments
from scg.errors import CallError
from scg.run.binding import as_runs, bind_noise, check_noise_sizes
from scg.run.bound_step import BoundStep
from scg.run.curvature import as_direction
from scg.run.inspection import Inspectable
from scg.run.repeated import Repeatable
from scg.run.result import Nested, Result
from scg.run.state import initial_state


@kind("a step, as scg.compile returns it")
class Step(Repeatable, Inspectable):
    """A compiled graph, which :func:`scg.compile` returns: call it with parameters and a seed.

    A call checks its arguments; for many calls on the same arrays use :meth:`bind`.

    Attributes
    ----------
    graph : Graph
        The declared graph.
    plan : Plan
        The estimator of each node, with the reason; ``print`` it.
    surrogate : Surrogate
        The surrogate as expressions.
    program : Program
        The lowered operations; ``print`` it, and ``len`` counts them.
    curvature : Program or None
        With ``order=2``: the product of the Hessian and a direction.
    check_finite : bool
        Whether each call is checked; see :func:`scg.compile`.
    """

    def __call__(
        self,
        params: Mapping[str, Any],
        *wrong: Any,
        seed: int | tuple[int, ...] | None = None,
        runs: int = 1,
        data: Mapping[str, Any] | None = None,
        state: Mapping[str, Mapping[str, Any]] | None = None,
        noise: Mapping[str, Any] | None = None,
        carry: Mapping[str, Any] | None = None,
        **by_name: Any,
    ) -> Result:
        """Estimate the cost and its gradients.

        Parameters
        ----------
        params : mapping
            Parameters by name, as ``graph.init`` returns them.
        seed : int or tuple of int
            The seed; it has no default. Give it or `noise`.
        runs : int
            Number of independent runs to average.
        data : mapping, optional
            Data by name; or by keyword, ``step(params, seed=1, x=batch)``.
        state : mapping, optional
            The estimators' state and own parameters; by default their initial values.
        noise : mapping, optional
            Noise by leaf name, as :meth:`noise` returns it.
        carry : mapping, optional
            With ``stream=True``: ``out.carry`` of the window before. Without it the window begins a
            sequence.

        Raises
        ------
        CallError
            If an argument is missing, unknown, or of another shape; if a parameter of a
            distribution violates its constraint; or if observed data lie outside the support.
            Where data or samples decide a value, it is checked if the cost is NaN, and always
            with ``check_finite=True``.
        """
        if wrong:
            raise CallError(
                "a step takes its other arguments by name: step(params, seed=1, data={...})"
            )
        if by_name:
            data = self.with_keywords(
                data, by_name, ("seed", "runs", "data", "state", "noise", "carry")
            )
        if self._last is not None and seed is not None and noise is state is carry is None:
            found = self._repeated(params, data, runs, seed)
            if found is not None:
                return found
        values, sizes, memory = self.checked(params, data, state, carry)
        step = self.at(sizes)
        if carry is not None and runs != 1:
            raise CallError(f"a window continues one run, got runs={runs} with carry=")
        if seed is not None and noise is None:
            runs, program = as_runs(runs), step.program
            if not self.check_finite and (runs == 1 or runs == program.at_once(runs, sizes)):
                found = program.estimate(values, sizes, runs, seed)
                self._remember(program, sizes, runs)
            else:
                found = BoundStep(self, values, sizes, memory, runs).moments(seed)
            result = Result(found, runs, memory, self.layout)
            if math.isnan(result.cost):
                step.name_invalid(values, sizes, seed, runs)
            return result
        if noise is None or seed is not None:
            raise CallError(
                "a step needs a seed and has no default: step(params, seed=1)"
                if noise is None
                else "give either seed= or noise=, not both"
            )
        given = bind_noise(noise, step.program.noise, sizes, step.program.dtype)
        out = step.on_noise(values, given, sizes, 1)
        if runs not in (1, found := len(out["cost",])):
            raise CallError(f"runs={runs!r}, but the noise has {found}; leave runs= out")
        return Result(moments(out), found, memory, self.layout)

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
        """Check the arguments once, for many calls: the bound step takes a seed alone.

        A call reads C-contiguous arrays of the step's type in place, so that changing them changes
        the next call; other arrays are copied now.

        Parameters
        ----------
        params, runs, data, state
            As for a call.

        Returns
        -------
        BoundStep
            ``fast(seed)`` returns the result of ``step(params, seed=seed, ...)``; the next call
            overwrites it.

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
            data = self.with_keywords(data, by_name, ("runs", "data", "state"))
        values, sizes, memory = self.checked(params, data, state)
        return BoundStep(self, values, sizes, memory, as_runs(runs))

    @checked("step.init(seed=0)")
    def init(self, seed: int | tuple[int, ...]) -> Nested:
        """Initial state and own parameters of the estimators: node, then name."""
        return initial_state(self.surrogate.memory.values(), seed)

    @checked("step.noise(seed=0, runs=10)")
    def noise(
        self, seed: int | tuple[int, ...], runs: int = 1, data: Mapping[str, Any] | None = None
    ) -> dict[str, np.ndarray]:
        """Noise of `runs` runs by leaf name, in arrays of shape (runs, plates, event).

        Use it to give two steps the same noise. `data` determines the sizes of plates that have
        no fixed length.
        """
        _, sizes = self.binder().bind({}, data, needed=set())
        check_noise_sizes(self.program.noise, sizes)
        return Named(self.at(sizes).program.draw_noise(seed, range(as_runs(runs)), sizes))

    @checked("step.hvp(params, vector, seed=1)")
    def hvp(
        self,
        params: Mapping[str, Any],
        vector: Mapping[str, Any],
        *,
        seed: int | tuple[int, ...],
        runs: int = 1,
        data: Mapping[str, Any] | None = None,
        state: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> dict[str, np.ndarray]:
        """Product of the Hessian estimate and a vector, at about the price of two gradients.

        Use it where the Hessian is too large to hold, for example in Newton's method with conjugate
        gradients. A call of the step with the same seed and runs estimates the same Hessian.

        Parameters
        ----------
        params, data, state
            As for a call.
        vector : mapping
            An array for each parameter, of its shape, and for each name in ``data_grads``.
        seed : int or tuple of int
            The seed. With one seed for all products the Hessian is one symmetric matrix.
        runs : int
            Number of independent runs to average.

        Returns
        -------
        dict
            The product, with the keys and shapes of the vector.

        Raises
        ------
        CallError
            If the step was not compiled with ``order=2``, or as for a call.

        Examples
        --------
        >>> import scg
        >>> g = scg.Graph("toy")
        >>> w = g.parameter("w", [1.0, 2.0])
        >>> g.cost("loss", w[0] ** 2 * w[1])
        >>> step = scg.compile(g, order=2)
        >>> step.hvp(g.init(seed=0), {"w": [1.0, 0.0]}, seed=0)["w"]
        array([4., 2.])
        """
        if self.curvature is None:
            raise CallError("step.hvp needs second derivatives: scg.compile(g, order=2)")
        values, sizes, _ = self.checked(params, data, state)
        names = [*self.layout.second, *(name for name, _ in self.layout.data_grads)]
        shapes = {name: np.shape(values[name]) for name in names}
        values |= as_direction(shapes, vector, self.program.dtype)
        step = self.at(sizes)
        found = step.products(step.curvature, values, sizes, seed, as_runs(runs))
        if self.check_finite:
            step.name_invalid(values, sizes, seed, runs)
            for name in names:
                if not np.isfinite(found[name]).all():
                    raise CallError(f"the product of the Hessian is not finite in {name!r}")
        return {name: found[name] for name in names}
