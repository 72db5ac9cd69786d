"""Lowered programs compute what has fewer elements once, and keep the interpreter's values."""

import numpy as np
import pytest

import scg
from scg.engine.interpreter import Interpreter
from scg.ir.walk import topological
from scg.ops.elementwise import log_binary, softplus
from scg.schedule.lower import lower

LOGITS = np.array([-np.inf, np.inf, np.nan, 0.0, -0.0, 1e38, -1e38, 3.3, -100.0], np.float32)
VALUES = np.array([0.0, 1.0, 0.5, np.nan, 2.0, -1.0], np.float32)


@pytest.mark.parametrize("fewer", [True, False])
def test_the_logarithm_of_a_logit_is_taken_once_for_all_values(fewer):
    plate, g = scg.Plate("particles"), scg.Graph("bits")
    a = g.data("a", shape=LOGITS.shape, plates=() if fewer else plate)
    x = g.data("x", shape=(), plates=plate)
    declared = {"log p": log_binary(a, x)}
    lowered, _ = lower(declared)
    logs = [expr for expr in topological(lowered.values()) if expr.op is softplus]
    assert [expr.plates for expr in logs] == ([()] if fewer else [])
    given = {"a": LOGITS if fewer else np.tile(LOGITS, (len(VALUES), 1)), "x": VALUES}
    wanted, found = (
        one.run({leaf: given[leaf.attrs["name"]] for leaf in one.leaves}, {plate: len(VALUES)})
        for one in (Interpreter(declared, np.float32), Interpreter(lowered, np.float32))
    )
    np.testing.assert_allclose(found["log p"], wanted["log p"], rtol=1e-6)
