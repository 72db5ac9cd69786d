"""A bound step: a step with its arguments, which takes a seed alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scg.common.arguments import checked
from scg.engine.blocks import RunMoments, Sampling, merged, spans
from scg.errors import CallError
from scg.run.result import Nested, Result
from scg.run.runner import Runner, Sizes


class BoundStep:
    """A step tied to parameters, data and state, as :meth:`Step.bind` returns it.

    Only one thread at a time may call it, because a call overwrites the last result. For several
    threads bind the same step several times.

    Attributes
    ----------
    step : Step
        The step.
    runs : int
        The number of runs of each call.
    """

    def __init__(
        self,
        step: Runner,
        values: Mapping[str, Any],
        sizes: Sizes,
        memory: Nested,
        runs: int,
    ):
        self.step, self.runs, self.layout = step, runs, step.layout
        self._values, self._sizes, self._memory = values, sizes, memory
        self._runner = runner = step.at(sizes)
        self._length = runner.at_once(runs, sizes)
        self._first = runner.sampler(values, sizes, self._length)
        self._sample = self._first if runs == self._length else self._in_blocks
        self._costs = len(step.graph.costs)
        self._found: RunMoments | None = None
        self._result: Result

    def __reduce__(self) -> Any:
        raise TypeError(
            "a bound step cannot be copied or pickled, because calls of the copy would overwrite "
            "the same result; call step.bind again"
        )

    def __call__(
        self, seed: int | tuple[int, ...] | None = None, *wrong: Any, **options: Any
    ) -> Result:
        """Estimate the cost and its gradients.

        The next call overwrites the result: copy the arrays that you keep.
        """
        if seed is None or wrong or options:
            raise CallError(
                "a bound step takes a seed, which has no default, and nothing else: fast(1); give "
                "other arguments to step.bind"
            )
        self._check_costs()
        found = self._sample(seed, 0)
        if found is not self._found:
            self._result = Result(found, self.runs, self._memory, self.layout)
            self._found = found
        return self._result

    @checked("fast.moments(1)")
    def moments(self, seed: int | tuple[int, ...]) -> RunMoments:
        """Means and sums of squared deviations of all outputs; the next call may overwrite them."""
        self._check_costs()
        return self._sample(seed, 0)

    def _check_costs(self) -> None:
        if len(self.step.graph.costs) != self._costs:
            self.step.binder()  # which names the cost that was declared since

    def _in_blocks(self, seed: Any, first: int) -> RunMoments:
        blocks = spans(self.runs, self._length)
        return merged((block, self._sampler(block)(seed, first + block.start)) for block in blocks)

    def _sampler(self, block: range) -> Sampling:
        if len(block) == self._length:
            return self._first
        return self._runner.sampler(self._values, self._sizes, len(block))
