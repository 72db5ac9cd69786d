"""Which engine a step gets without being told."""

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
