"""The target of numba that kernels are compiled for, beside numba's own."""

import os
import subprocess
import sys

import pytest

pytest.importorskip("numba")

KERNEL = '''
import numpy as np
from scg.engine.codegen import native

SOURCE = """def kernel(table):
    put_i8(word(table, 1), u8(0), i8(max(word(table, 0), u8(7))))
"""

def kernel_largest(x):
    out = np.zeros(1, np.int64)
    table = np.array([x, out.ctypes.data], np.uint64)
    assert native.caller(SOURCE, table.ctypes.data)() == 0
    return int(out[0])
'''

ALONE = f"""{KERNEL}
import sys
assert kernel_largest(9) == 9 and kernel_largest(2) == 7
from numba.core.runtime import rtsys
assert not rtsys._init
assert sys.modules.keys().isdisjoint(["scipy.linalg", "numba.np.linalg"])
"""

OTHERS = """
import numba
import numpy as np

@numba.njit
def others_largest(x):
    return max(np.uint64(x[0]), np.uint64(7)), x.copy().sum()

def check_others():
    assert others_largest(np.array([9.0, 1.0])) == (9, 10.0)
"""


def run(text):
    environment = os.environ | {"SCG_CACHE_DIR": ""}
    subprocess.run([sys.executable, "-c", text], check=True, env=environment)


def test_a_kernel_needs_neither_the_runtime_nor_linear_algebra():
    run(ALONE)


@pytest.mark.parametrize(
    "order", ["check_others(); assert kernel_largest(9) == 9", "kernel_largest(9); check_others()"]
)
def test_kernels_and_functions_for_numba_share_a_process(order):
    """What is overloaded, as max is, is compiled for both targets."""
    run(f"{KERNEL}{OTHERS}{order}\nassert kernel_largest(2) == 7\ncheck_others()")
