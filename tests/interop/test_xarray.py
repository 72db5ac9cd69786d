"""Samples as labelled arrays."""

import numpy as np
import pytest

import scg

pytest.importorskip("xarray")
from scg.interop.xarray import dataset


def test_dimensions_have_the_names_of_plates():
    g = scg.Graph("m")
    x = g.data("x", plates=scg.Plate("batch"))
    a = g.sample("a", scg.Normal(g.parameter("w", np.zeros((2, 3))), 1.0))
    g.sample("b", scg.Bernoulli(logits=x + np.sum(a)))
    drawn = g.simulate(g.init(0), nodes=["a", "b"], seed=1, runs=6, data={"x": np.zeros(5)})
    found = dataset(g, drawn, chains=3)
    assert found["a"].dims == ("chain", "draw", "a_dim_0", "a_dim_1")
    assert found["b"].dims == ("chain", "draw", "batch")
    np.testing.assert_array_equal(found["a"].sel(chain=1, draw=0), drawn["a"][2])
    np.testing.assert_array_equal(found["b"].sel(chain=2, draw=1), drawn["b"][5])
    assert found["b"].mean("batch").shape == (3, 2)
    with pytest.raises(scg.CallError, match="'a': 6 runs make no 4 equal chains"):
        dataset(g, drawn, chains=4)
    with pytest.raises(scg.CallError, match=r"'a': expected shape \(runs, 2, 3\), got \(2, 3\)"):
        dataset(g, {"a": drawn["a"][0]})
