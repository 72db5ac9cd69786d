"""Scans in the compiled engine against the same loops unrolled in the interpreter."""

import numpy as np
import pytest

from scg.engine.walk.executable import Executable
from tests.ops.loops import compared, example

pytest.importorskip("numba")


@pytest.mark.parametrize("seed", range(2))
def test_a_scan_is_its_loop_unrolled(seed):
    for name, found, expected in compared(Executable, example(seed, 3, bool(seed % 2))):
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12, err_msg=name)
