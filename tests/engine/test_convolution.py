"""Convolutions as matrix products: both backends agree, and no loop stands in for a product."""

import numpy as np
import pytest

import scg

rng = np.random.default_rng(3)
BATCH = rng.normal(size=(5, 3, 9, 8))


def model(stride, padding, dilation):
    """An image through a convolution and back through a transposed one."""
    g = scg.Graph("autoencoder")
    batch = scg.Plate("batch")
    x = g.data("x", shape=(3, 9, 8), plates=batch)
    down = {"stride": stride, "padding": padding, "dilation": dilation}
    h = np.tanh(scg.nn.conv2d(g, "down", 4, (3, 2), **down)(x))
    y = scg.nn.conv_transpose(g, "up", 3, (3, 2), **down)(h)
    g.cost("error", np.mean((y - np.mean(x)) ** 2) + np.mean(scg.avg_pool(h, 2)) ** 2)
    return g


@pytest.mark.parametrize(
    "options",
    [(1, 0, 1), (2, 1, 1), ((1, 2), (0, 1), (2, 1)), ((3, 1), 1, (1, 3))],
    ids=["plain", "stride", "mixed", "dilation"],
)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_backends_agree(options, dtype):
    g = model(*options)
    params = g.init(seed=0)
    one, other = (
        scg.compile(g, backend=backend, dtype=dtype)(params, seed=0, x=BATCH)
        for backend in ("numpy", "numba")
    )
    close = {"rtol": 1e-10, "atol": 1e-12} if dtype == "float64" else {"rtol": 2e-4, "atol": 1e-5}
    np.testing.assert_allclose(one.cost, other.cost, **close)
    for name in params:
        np.testing.assert_allclose(one.grads[name], other.grads[name], err_msg=name, **close)


def test_second_derivatives_agree_with_differences():
    g = scg.Graph("square")
    x = g.data("x", shape=(1, 4, 4), plates=scg.Plate("batch"))
    w = g.parameter("w", rng.normal(size=(1, 1, 2, 2)))
    g.cost("c", np.sum(scg.conv_transpose(np.tanh(scg.conv2d(x, w)), w, stride=2) ** 2))
    data, params = {"x": BATCH[:, :1, :4, :4]}, g.init(seed=0)
    step = scg.compile(g, backend="numba", order=2)
    hessian = step(params, seed=0, data=data).hessian["w"]["w"].reshape(4, 4)
    for k, h in enumerate(1e-5 * np.eye(4).reshape(4, 1, 1, 2, 2)):
        above, below = (
            step({"w": params["w"] + s * h}, seed=0, data=data).grads["w"] for s in (1, -1)
        )
        np.testing.assert_allclose(hessian[k], ((above - below) / 2e-5).ravel(), rtol=1e-6)


def test_every_contraction_of_a_convolution_is_a_matrix_product():
    """The layer, its gradient in the weights and in the image."""
    g = scg.Graph("two")
    x = g.data("x", shape=(3, 9, 8), plates=scg.Plate("batch"))
    h = np.tanh(scg.nn.conv2d(g, "first", 4, 3, padding=1)(x))
    g.cost("c", np.mean(scg.nn.conv2d(g, "second", 5, 3)(h) ** 2))
    entries = str(scg.compile(g, backend="numba").stages["schedule"])
    assert entries.count("contract") == entries.count("gemm") == 5


@pytest.mark.parametrize("padding", [None, 1.5, np.array(1), (1, 2, 3), "same"])
def test_what_is_no_pair_of_integers_is_an_error(padding):
    with pytest.raises(scg.DeclarationError, match="expected an integer or a pair of integers"):
        scg.conv2d(np.ones((1, 4, 4)), np.ones((1, 1, 2, 2)), padding=padding)
