"""Convolutions as matrix products: both backends agree, and no loop stands in for a product."""

import numpy as np
import pytest

import scg
from scg.engine.walk.executable import Executable
from scg.ops.linalg import contract

rng = np.random.default_rng(3)
BATCH = rng.normal(size=(5, 4, 9, 8))


def model(stride, padding, dilation):
    """An image through a convolution and back through a transposed one."""
    g = scg.Graph("autoencoder")
    batch = scg.Plate("batch")
    x = g.data("x", shape=(4, 9, 8), plates=batch)
    down = {"stride": stride, "padding": padding, "dilation": dilation}
    h = np.tanh(scg.nn.conv2d(g, "down", 4, (3, 2), **down)(x))
    y = scg.nn.conv_transpose(g, "up", 4, (3, 2), **down)(h)
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
    """The layer, its gradient in the weights and in the image; no array holds all windows."""
    g = scg.Graph("two")
    x = g.data("x", shape=(3, 9, 8), plates=scg.Plate("batch"))
    h = np.tanh(scg.nn.conv2d(g, "first", 4, 3, padding=1)(x))
    g.cost("c", np.mean(scg.nn.conv2d(g, "second", 5, 3)(h) ** 2))
    entries = str(scg.compile(g, backend="numba").stages["schedule"])
    assert entries.count("contract in turns") == entries.count("gemm") == 5


@pytest.mark.usefixtures("own_threads")
@pytest.mark.parametrize("batch", [1, 3, 40])
def test_products_that_take_turns_are_cut_for_threads(batch):
    """Between images, along a result, or where they add up: images of a batch, rows of a window."""
    g = scg.Graph("large")
    x = g.data("x", shape=(8, 33, 31), plates=scg.Plate("batch"))
    v = g.sample("v", scg.Normal(g.parameter("m", rng.normal(size=(8, 8, 3, 3)) / 9), 0.1))
    h = np.tanh(scg.conv2d(x, v, padding=1))
    g.cost("c", np.sum(np.sin(scg.conv2d(h, g.parameter("w", rng.normal(size=(40, 8, 2, 3)))))))
    data, params = {"x": rng.normal(size=(batch, 8, 33, 31))}, g.init(seed=0)
    call = {"params": params, "seed": 0, "runs": 2, "data": data}
    wanted = scg.compile(g, backend="numpy")(**call).grads
    for threads in (1, 2, 3):
        scg.set_threads(threads)
        found = scg.compile(g, backend="numba")(**call).grads
        for name in params:
            np.testing.assert_allclose(found[name], wanted[name], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("images", [0, 3])
def test_products_add_up_over_a_plate(images):
    """Also over no element of it, and where another plate lies outside of it."""
    g, several, batch = scg.Graph("none"), scg.Plate("several"), scg.Plate("batch")
    x = g.data("x", shape=(3, 40), plates=(several, batch))
    y = g.data("y", shape=(2, 40), plates=batch)
    product = contract(x, y, left=(0, 2), right=(1, 2), out=(0, 1), over=(batch,))
    engine = Executable({"product": product}, np.float64)
    assert "in turns" in str(engine)
    values = rng.normal(size=(4, images, 3, 40)), rng.normal(size=(images, 2, 40))
    found = engine.run(dict(zip((x, y), values, strict=True)), {several: 4, batch: images})
    np.testing.assert_allclose(found["product"], np.einsum("sbik,bjk->sij", *values))


def test_an_image_is_shared_by_weights_of_several_samples():
    """The gradient of the image adds up over samples, in no turn."""
    g, several = scg.Graph("shared"), scg.Plate("several", length=3)
    w = g.data("w", shape=(5, 4, 3, 2), plates=several)
    x = g.parameter("x", rng.normal(size=(4, 9, 8)))
    g.cost("c", np.sum(np.sin(scg.conv2d(x, w))))
    call = {"params": g.init(seed=0), "seed": 0, "w": rng.normal(size=(3, 5, 4, 3, 2))}
    one, other = (scg.compile(g, backend=name)(**call).grads["x"] for name in ("numpy", "numba"))
    np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("padding", [None, 1.5, np.array(1), (1, 2, 3), "same"])
def test_what_is_no_pair_of_integers_is_an_error(padding):
    with pytest.raises(scg.DeclarationError, match="expected an integer or a pair of integers"):
        scg.conv2d(np.ones((1, 4, 4)), np.ones((1, 1, 2, 2)), padding=padding)
