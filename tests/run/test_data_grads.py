"""Derivatives in data: those that a parameter in the place of the data would have."""

import numpy as np
import pytest

import scg
from tests.laws.choices import CHOICES

X = np.array([0.4, -0.8])


def model(as_data):
    """The data move a distribution, a cost, and the distribution of a child."""
    g = scg.Graph("model")
    x = g.data("x", 2) if as_data else g.parameter("x", X)
    theta = g.parameter("theta", [0.3, -0.2])
    a = g.sample("a", scg.Bernoulli(logits=theta + x))
    b = g.sample("b", scg.Bernoulli(logits=a * x - 0.5 * theta))
    g.cost("loss", (np.sum(a * np.array([1.0, -2.0]) + b) - x[0]) ** 2 + np.sum(b * x))
    return g


@pytest.mark.filterwarnings("ignore::scg.BiasWarning", "ignore::scg.PathsWarning")
@pytest.mark.parametrize("name", CHOICES)
def test_they_are_those_of_a_parameter(name):
    data, parameter = model(True), model(False)
    try:
        one = scg.compile(data, CHOICES[name](data), backend="numpy", data_grads=["x"])
    except scg.EstimatorError as refusal:
        with pytest.raises(scg.EstimatorError) as other:
            scg.compile(parameter, CHOICES[name](parameter), backend="numpy")
        assert str(refusal) == str(other.value)
        return
    other = scg.compile(parameter, CHOICES[name](parameter), backend="numpy")
    theta = {"theta": np.array([0.3, -0.2])}
    found = one(theta, seed=5, runs=4, x=X)
    wanted = other(theta | {"x": X}, seed=5, runs=4)
    reads = ("network", "relax", "lax", "rodeo")  # networks read data, and no parameters
    if not name.startswith(reads) and not name.endswith(reads):
        np.testing.assert_allclose(found.data_grads["x"], wanted.grads["x"], rtol=1e-10)
        np.testing.assert_allclose(found.grads["theta"], wanted.grads["theta"], rtol=1e-10)


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_they_live_on_the_plates_of_the_data(backend):
    """A mean over the batch: exact gradients of each element, also of what no cost reads."""
    g = scg.Graph("batch")
    batch = scg.Plate("batch")
    x, idle = g.data("x", 2, plates=batch), g.data("idle", plates=batch)
    w = g.parameter("w", [0.5, -1.0])
    b = g.sample("b", scg.Bernoulli(logits=x @ w))
    g.cost("loss", (b - 0.3) ** 2 + 0.0 * np.sum(x) + scg.stop_gradient(idle))
    step = scg.compile(g, scg.Enumeration(), data_grads=("x", "idle"), order=2, backend=backend)
    values = np.array([[0.2, 0.4], [-0.3, 0.9], [1.0, 0.0]])
    w = np.array([0.5, -1.0])
    p = 1 / (1 + np.exp(-values @ w))
    slope = (p * (1 - p) * (0.49 - 0.09) / 3)[:, None]
    data = {"x": values, "idle": np.zeros(3)}
    for out in (step({"w": w}, seed=0, data=data), step.bind({"w": w}, data=data)(0)):
        np.testing.assert_allclose(out.data_grads["x"], slope * w, rtol=1e-10)
        assert out.data_grads["idle"].tolist() == [0.0, 0.0, 0.0]
    vector = {"w": np.zeros(2), "x": np.ones((3, 2)), "idle": np.zeros(3)}
    found = step.hvp({"w": w}, vector, seed=0, data=data)
    second = slope[:, 0] * (1 - 2 * p) * (np.ones((3, 2)) @ w)
    np.testing.assert_allclose(found["x"], second[:, None] * w, rtol=1e-9)
    np.testing.assert_allclose(
        found["w"], second @ values + slope[:, 0] @ np.ones((3, 2)), rtol=1e-9
    )


@pytest.mark.parametrize("name", ["seed", "runs", "params", "state"])
def test_data_are_not_named_like_an_argument_of_a_call(name):
    with pytest.raises(scg.DeclarationError, match=f"'{name}' is an argument of calls"):
        scg.Graph().data(name)


def test_what_has_no_gradient_is_an_error():
    g = scg.Graph("g")
    g.data("image", 2)
    g.data("label", kind="int")
    g.cost("loss", g.parameter("w", 1.0) ** 2)
    for names, words in (
        (("imag",), "did you mean 'image'"),
        (("label",), "holds integers"),
        ("image", r'must be names such as \("x",\)'),
    ):
        with pytest.raises(scg.ScgError, match=words):
            scg.compile(g, data_grads=names)
