"""Which engine a step gets without being told."""

import os
import subprocess
import sys

import pytest

import scg


def graph():
    g = scg.Graph("coin")
    g.cost("loss", g.sample("b", scg.Bernoulli(logits=g.parameter("theta", 0.4))))
    return g


@pytest.mark.parametrize(
    ("variable", "expected"),
    [(None, "numba"), ("", "numba"), ("numpy", "numpy"), ("numba", "numba")],
)
def test_the_environment_chooses_and_numba_is_the_default(monkeypatch, variable, expected):
    if variable is None:
        monkeypatch.delenv("SCG_BACKEND", raising=False)
    else:
        monkeypatch.setenv("SCG_BACKEND", variable)
    assert scg.compile(graph()).program.backend == expected
    assert scg.compile(graph(), backend="numpy").program.backend == "numpy"
    assert scg.compile(graph(), backend="numba").program.backend == "numba"


def test_an_unknown_backend_says_where_it_was_given(monkeypatch):
    with pytest.raises(scg.DeclarationError, match="backend must be one of 'numba', 'numpy'"):
        scg.compile(graph(), backend="jax")
    monkeypatch.setenv("SCG_BACKEND", "jax")
    with pytest.raises(scg.DeclarationError, match="environment variable SCG_BACKEND must be"):
        scg.compile(graph())
    assert scg.compile(graph(), backend="numpy").program.backend == "numpy"


WITHOUT = """
import sys
{missing}
import scg
g = scg.Graph("g")
g.cost("c", g.parameter("a", 3.0) ** 2)
params = g.init(seed=0)
step = scg.compile(g)
print(step.program.backend, step(params, seed=0).grads["a"])
scg.compile(g)
"""


def alone(missing):
    environment = {k: v for k, v in os.environ.items() if k != "SCG_BACKEND"} | {
        "SCG_CACHE_DIR": ""
    }
    command = [sys.executable, "-c", WITHOUT.format(missing=missing)]
    return subprocess.run(command, env=environment, capture_output=True, text=True)


@pytest.mark.parametrize("name", ["numba", "llvmlite"])
def test_without_numba_the_default_is_numpy_with_one_line(name):
    ran = alone(f"sys.modules[{name!r}] = None")
    assert ran.stdout.split() == ["numpy", "6.0"]
    (line,) = ran.stderr.splitlines()
    assert line.startswith("scg computes with NumPy, which is slower: ") and name in line


def test_a_numba_that_does_not_import_is_named(tmp_path):
    package = tmp_path / "numba"
    package.mkdir()
    (package / "__init__.py").write_text("raise ImportError('Numba needs NumPy 2.9 or less')")
    ran = alone(f"sys.path.insert(0, {str(tmp_path)!r})")
    assert "ScgError: numba cannot be imported (Numba needs NumPy 2.9 or less)" in ran.stderr
    assert "backend='numpy'" in ran.stderr.splitlines()[-1]
