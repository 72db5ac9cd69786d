"""How numba compiles kernels: for a target of ours, beside its own, or by its public interface."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from scg.engine.codegen.settings import PLAIN

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
import numba
before = set(sys.modules)
assert kernel_largest(9) == 9 and kernel_largest(2) == 7
from numba.core.runtime import rtsys
assert not rtsys._init
assert (sys.modules.keys() - before).isdisjoint(["scipy.linalg", "numba.np.linalg"])
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


def run(*command, **environment):
    environment = os.environ | {"SCG_CACHE_DIR": "", PLAIN: ""} | environment
    command = [sys.executable, *command]
    return subprocess.run(command, check=True, env=environment, capture_output=True, text=True)


def test_a_kernel_needs_neither_the_runtime_nor_linear_algebra():
    run("-c", ALONE)


@pytest.mark.parametrize(
    "order", ["check_others(); assert kernel_largest(9) == 9", "kernel_largest(9); check_others()"]
)
def test_kernels_and_functions_for_numba_share_a_process(order):
    """What is overloaded, as max is, is compiled for both targets."""
    run("-c", f"{KERNEL}{OTHERS}{order}\nassert kernel_largest(2) == 7\ncheck_others()")


CHANGED = f"""
from numba.core import compiler, untyped_passes
del untyped_passes.IRProcessing
{KERNEL}
assert kernel_largest(9) == 9 and kernel_largest(2) == 7
"""


def test_without_the_private_parts_kernels_compile_and_the_log_says_so_once():
    (line,) = run("-c", CHANGED).stderr.splitlines()
    assert "public interface of numba" in line and "IRProcessing" in line


def test_the_public_interface_passes_tests_of_the_engine():
    """A few files; ``SCG_PLAIN_NUMBA=1 pytest tests/engine`` runs all."""
    files = [str(Path(__file__).with_name(f"test_{name}.py")) for name in ("edges", "keys")]
    run("-m", "pytest", "-q", "-x", *files, **{PLAIN: "1"})


def test_object_code_of_either_way_has_a_key_of_its_own(monkeypatch):
    from scg.engine.codegen import native

    monkeypatch.setenv(PLAIN, "1")
    forced = native.identity("def kernel(table):\n    pass\n")
    monkeypatch.delenv(PLAIN)
    assert native.identity("def kernel(table):\n    pass\n") != forced
