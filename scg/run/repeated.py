"""Repeated: calls of a step with arrays of the names, types and shapes of the last call's."""

from __future__ import annotations

import math
from typing import Any

from scg.engine.program import Program
from scg.engine.sampler import MomentSampler
from scg.run.result import Result
from scg.run.runner import Runner, Sizes

#: Most calls that run without another attempt after one that failed.
LONGEST = 63


class Repeatable(Runner):
    """A runner that recognizes calls with arrays like the last call's, see the module.

    One call of a kernel checks and copies all arrays, and the runner keeps none of them. After
    attempts that failed it tries less often.
    """

    _last: MomentSampler | None = None  #: What ran the last call, if the next one may repeat it.
    _pause = _wait = 0  #: Calls until the next attempt, now and after the last failure.

    def _remember(self, program: Program, sizes: Sizes, runs: int) -> None:
        """Let the next call try to repeat this one, unless a pause lasts."""
        if self._pause:
            self._pause -= 1
        elif self.plain and program.draws and not self._binder.constrained:
            self._last = program.moment_sampler(sizes, runs)

    def _repeated(self, params: Any, data: Any, runs: Any, seed: Any) -> Result | None:
        """The result of a call like the last one; None for others, and if the cost is NaN."""
        sampler, binder, found = self._last, self._binder, None
        data = {} if data is None else data
        if sampler and type(params) is type(data) is dict and type(runs) is int:
            if binder.declared == len(self.graph.roles):
                check = binder.check if binder.checks else None
                found = sampler.again(params, data, runs, seed, check)
        if found is None:
            self._last, self._pause = None, self._wait
            self._wait = min(2 * self._wait + 1, LONGEST)
            return None
        self._wait = 0
        return None if math.isnan(found["cost",]) else Result(found, runs, {}, self.layout)
