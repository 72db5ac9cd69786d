"""Vectors that differ in one coordinate: fewer products, the same numbers."""

import numpy as np
import pytest

import scg


def bits(g):
    """Five units, shifted before a product with a matrix on their right."""
    z = g.sample("z", scg.Bernoulli(logits=g.parameter("a", np.linspace(-1, 1, 5))))
    return np.exp(2.0 * z - 1.0) @ g.parameter("w", np.sin(np.arange(15.0)).reshape(5, 3))


def left(g):
    """The matrix on the left, and a second layer below it."""
    z = g.sample("z", scg.Bernoulli(logits=g.parameter("a", np.linspace(-1, 1, 4))))
    y = g.sample(
        "y", scg.Bernoulli(logits=g.parameter("w", np.cos(np.arange(8.0).reshape(2, 4))) @ z)
    )
    return y * np.sum(z)


def flattened(g):
    """Three one-hot vectors of four classes, flattened before the product."""
    law = scg.OneHotCategorical(logits=g.parameter("a", np.sin(np.arange(12.0)).reshape(3, 4)))
    return g.sample("z", law).reshape(12) @ g.parameter("w", np.cos(np.arange(24.0)).reshape(12, 2))


def two_axes(g):
    """The same, contracted over variables and classes at once."""
    law = scg.OneHotCategorical(logits=g.parameter("a", np.sin(np.arange(12.0)).reshape(3, 4)))
    w = g.parameter("w", np.cos(np.arange(24.0)).reshape(3, 4, 2))
    return np.einsum("vc,vco->o", g.sample("z", law), w)


def columns(g):
    """Contracted over the variables alone: the product keeps the classes."""
    law = scg.OneHotCategorical(logits=g.parameter("a", np.sin(np.arange(12.0)).reshape(3, 4)))
    return np.einsum("vc,vo->co", g.sample("z", law), g.parameter("w", np.ones((3, 2))))


def lengths(exprs):
    """Number of products of every contraction on a plate of alternatives, an element of it."""
    found = []
    for e in exprs:
        if e.op.name == "contract" and any(not plate.owned_by_user for plate in e.plates):
            inner = [x for x in e.attrs["left"] if x in e.attrs["right"]]
            size = dict(zip(e.attrs["left"], e.args[0].shape, strict=True))
            found.append(e.size * int(np.prod([size[x] for x in inner], dtype=int)))
    return found


@pytest.mark.parametrize(
    ("model", "products"),
    [(bits, []), (left, []), (flattened, [8]), (two_axes, [8]), (columns, [8])],
)
@pytest.mark.parametrize("estimator", [scg.RAM(), scg.LocalExpectation()])
def test_a_changed_coordinate_costs_one_row(model, products, estimator, monkeypatch):
    g = scg.Graph("model")
    batch = scg.Plate("batch", length=3)
    g.cost("loss", np.sum(model(g) ** 2) + 0.0 * g.data("x", plates=batch))
    steps = []
    for keep in (True, False):
        if not keep:
            monkeypatch.setattr("scg.run.finish.one_coordinate", lambda roots: roots)
        steps.append(scg.compile(g, estimator=estimator))
    lean, full = steps
    assert lengths(lean.program.operations) == products
    assert lengths(full.program.operations) != products
    data = {"x": np.zeros(3)}
    noise = full.noise(seed=3, data=data)
    params = g.init(seed=0)
    a, b = (step(params, noise=noise, data=data).grads for step in (lean, full))
    for name in a:
        np.testing.assert_allclose(a[name], b[name], rtol=0, atol=1e-12)
