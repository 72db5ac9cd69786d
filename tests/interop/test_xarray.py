"""Samples as labelled arrays."""

import numpy as np
import pytest

import scg

pytest.importorskip("xarray")
from scg.interop.xarray import dataset, inference_data


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


def test_groups_and_data_are_what_arviz_reads():
    arviz = pytest.importorskip("arviz")
    g, batch = scg.Graph("m"), scg.Plate("batch")
    x = g.data("x", shape=(2,), plates=batch)
    mean = g.sample("mean", scg.Normal(0.0, 1.0))
    g.sample("y", scg.Normal(mean + np.sum(x), 1.0))
    data = {"x": np.ones((5, 2))}
    drawn = g.simulate({}, nodes=["mean", "y"], seed=1, runs=400, data=data)
    prior, predicted = {"mean": drawn["mean"]}, {"y": drawn["y"]}
    found = inference_data(g, data, 4, prior=prior, prior_predictive=predicted)
    assert set(found.children) == {"prior", "prior_predictive", "observed_data"}
    assert found["observed_data"]["x"].dims == ("batch", "x_dim_0")
    if hasattr(arviz, "from_datatree"):  # before version 1
        found = arviz.from_datatree(found)
    summary = arviz.summary(found, group="prior", kind="diagnostics")
    assert summary.loc["mean", "ess_bulk"] > 200 and 0.99 < summary.loc["mean", "r_hat"] < 1.05
    with pytest.raises(scg.CallError, match=r"data 'x': expected shape \(batch, 2\), got \(2,\)"):
        inference_data(g, {"x": np.ones(2)})
    with pytest.raises(scg.CallError, match="has no node 'z'"):
        inference_data(g, posterior={"z": np.ones(2)})
