"""Flows against their definition: inverses, Jacobians by differences, derivatives, samples."""

import numpy as np
import pytest
import scipy.stats

import scg
from scg.engine.interpreter import Interpreter

from . import law

rng = np.random.default_rng(3)


def network(inputs, outputs, hidden=4):
    shapes = [(inputs, hidden), hidden, (hidden, outputs), outputs]
    return [rng.normal(size=shape) for shape in shapes]


SIZES = {"w0": network(1, 2 * 2), "w1": network(2, 1 * 8)}


def pairs(flat):
    return list(zip(flat[::2], flat[1::2], strict=True))


def flow(loc, scale, **given):
    affine = [given[f"a{i}"] for i in range(4)]
    spline = [given[f"s{i}"] for i in range(4)]
    return scg.Transformed(
        scg.Normal(loc, scale),
        scg.AffineCoupling(pairs(affine)),
        scg.SplineCoupling(pairs(spline), bins=3, bound=2.5, flip=True),
    )


PARAMS = {
    "loc": np.array([0.3, -0.4, 0.2]),
    "scale": np.array([1.1, 0.8, 1.3]),
    **{f"a{i}": v for i, v in enumerate(SIZES["w0"])},
    **{f"s{i}": v for i, v in enumerate(SIZES["w1"])},
}
POINTS = [np.array([0.3, -0.7, 1.1]), np.array([4.0, 0.2, -3.0]), np.array([-1.3, 2.2, 0.1])]


@pytest.mark.parametrize("x", POINTS)
def test_the_jacobian_and_the_inverse(x):
    d = flow(**PARAMS)
    y = d._forward(x)
    back = y
    for bijection in reversed(d.bijections):
        back, _ = bijection.inverse(back)
    np.testing.assert_allclose(back, x, atol=1e-12)
    jacobian = np.array(
        [law.difference(lambda v, i=i: d._forward(v)[i], x, 1e-3) for i in range(3)]
    )
    expected = scipy.stats.norm(PARAMS["loc"], PARAMS["scale"]).logpdf(x).sum()
    expected -= np.linalg.slogdet(jacobian)[1]
    np.testing.assert_allclose(d.log_prob(y), expected, atol=1e-8)


@pytest.mark.parametrize("x", POINTS)
def test_derivatives_of_the_density(x):
    law.check_log_prob(flow, PARAMS, x, flow(**PARAMS).log_prob(x), step=5e-4, float32=2e-4)


def test_pathwise_derivatives_of_samples():
    law.check_pathwise(flow, PARAMS, step=5e-4, rtol=1e-5)


def test_a_flow_of_a_flow_is_a_distribution():
    """The density of a flow on two numbers integrates to one."""
    d = scg.Transformed(
        scg.StudentT(5.0, np.zeros(2), 1.0),
        scg.SplineCoupling(pairs(network(1, 5)), bins=2, bound=2.0),
        scg.AffineCoupling(pairs(network(1, 2)), flip=True),
    )
    g = scg.Graph()
    cells = scg.Plate("cells")
    at = g.data("at", shape=(2,), plates=cells)
    line = np.linspace(-30.0, 30.0, 1201)
    points = np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)
    engine = Interpreter({"p": d.prob(at)}, np.float64)
    p = engine.run({at: points}, {cells: len(points)})["p"]
    np.testing.assert_allclose(p.sum() * (line[1] - line[0]) ** 2, 1.0, atol=2e-3)


def test_a_posterior_flow_learns_on_both_backends():
    """The pathwise gradient of a bound, with a plate, on both backends and second order."""
    g = scg.Graph("flow")
    w = g.parameter("w", SIZES["w0"][2][:, :2])
    b = g.parameter("b", np.zeros(2))
    base = scg.Normal(np.zeros(2), 1.0)
    z = g.sample("z", scg.Transformed(base, scg.AffineCoupling([(w[:1], b)])))
    g.cost("bound", z.log_prob() + np.sum((z - 1.0) ** 2) + np.exp(z[0]) * z[1])
    params = g.init(seed=0)
    steps = [scg.compile(g, backend=backend, order=2) for backend in ("numpy", "numba")]
    ours, its = (step(params, seed=1, runs=40) for step in steps)
    for name in params:
        np.testing.assert_allclose(ours.grads[name], its.grads[name], rtol=1e-9, atol=1e-12)

    def mean(value):
        return steps[0]({**params, "b": value}, seed=1, runs=40).cost

    numeric = law.difference(mean, params["b"] + 0.1, 1e-2)
    found = steps[0]({**params, "b": params["b"] + 0.1}, seed=1, runs=40)
    np.testing.assert_allclose(found.grads["b"], numeric, atol=1e-7)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: scg.Transformed(scg.Gamma(np.ones(2), 1.0)), "two real numbers"),
        (lambda: scg.Transformed(scg.Normal(0.0, 1.0)), "two real numbers"),
        (lambda: scg.Transformed(scg.Normal(np.zeros(2)), 3.0), "expected a distribution"),
        (
            lambda: scg.Transformed(
                scg.Normal(np.zeros(3)), scg.AffineCoupling(pairs(network(1, 2)))
            ),
            "must lead from 1 numbers to 4",
        ),
    ],
)
def test_errors(make, message):
    with pytest.raises(scg.DeclarationError, match=message):
        make()
