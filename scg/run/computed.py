"""Checks of parameters of distributions that are computed from the graph's parameters alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from scg.engine.interpreter import Interpreter
from scg.run.checks import ValueCheck


class Computed:
    """Makes cheap checks in every call, such as that of the scale of Normal(0, s − 3).

    The others, of values that data or samples decide or that take more than elementwise
    operations, are made where a cost is NaN, and with ``check_finite``.
    """

    def __init__(self, checks: list[ValueCheck], dtype: Any):
        self.checks = checks
        nodes = dict(enumerate(check.node for check in checks))
        self.engine = Interpreter(nodes, dtype)

    def __call__(self, values: Mapping[str, np.ndarray]) -> None:
        """Check parameters by name, if all are there."""
        leaves = {leaf: values.get(leaf.attrs["name"]) for leaf in self.engine.leaves}
        if not self.checks or any(x is None for x in leaves.values()):
            return
        found = self.engine.run(leaves, {})
        for i, check in enumerate(self.checks):
            check(found[i])
