"""Scans against the same loops unrolled, with first and second derivatives."""

import numpy as np
import pytest

from scg.engine.interpreter import Interpreter

from .loops import compared, example


@pytest.mark.parametrize("length", [1, 2, 3, 17])
@pytest.mark.parametrize("seed", range(6))
def test_a_scan_is_its_loop_unrolled(seed, length):
    for name, found, expected in compared(Interpreter, example(seed, length)):
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("seed", range(30))
def test_second_derivatives(seed):
    for name, found, expected in compared(Interpreter, example(seed, 1 + seed % 3, order=2)):
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-11, err_msg=name)
