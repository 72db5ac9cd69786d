"""Pooling window element by window element: both backends agree, in few loops."""

import numpy as np
import pytest

import scg
from scg.compiler.differentiate import gradients
from scg.run.finish import finish
from scg.schedule.schedule import Schedule

BATCH = scg.Plate("batch")
POOLS = pytest.mark.parametrize("pool", [scg.avg_pool, scg.max_pool])


def outputs_of(pool, *window):
    """A pooled image of 6 rows and 8 columns, and the gradient of a cost of it."""
    g = scg.Graph("pooled")
    x = g.data("x", shape=(2, 6, 8), plates=BATCH)
    y = pool(x, *window)
    (dx,) = gradients(scg.plate_sum(np.sum(y * y), BATCH), [x])
    return x, {"y": y, "dx": dx}


@POOLS
@pytest.mark.parametrize("window", [((3, 2), (3, 2)), ((2, 3), (1, 2))], ids=["tiles", "overlap"])
def test_backends_agree(pool, window):
    """Also where elements tie, and next to NaN."""
    x, outputs = outputs_of(pool, *window)
    values = np.random.default_rng(2).integers(-3, 4, size=(5, 2, 6, 8)) / 4.0
    values[0, 0, 1, 1] = np.nan
    one, other = (
        finish(outputs, "float64", backend).engine().run({x: values}, {BATCH: 5})
        for backend in ("numpy", "numba")
    )
    for name in outputs:
        np.testing.assert_allclose(other[name], one[name], 1e-12, 1e-14, err_msg=name)


#: Shape of an image, size and stride of windows, type: vectors, half vectors and single elements;
#: one window; rows and columns that no window holds; a row longer than the buffer.
MEANS = [
    ((2, 15, 17), (3, 3), 2, "float32"),
    ((2, 28, 12), (5, 4), 1, "float64"),
    ((2, 7, 7), (7, 7), 7, "float32"),
    ((2, 12, 13), (2, 2), (3, 5), "float64"),
    ((1, 9, 1), (2, 1), (1, 11), "float32"),
    ((1, 4, 700), (3, 5), (1, 2), "float32"),
]


@pytest.mark.parametrize(("shape", "size", "stride", "dtype"), MEANS)
def test_means_of_windows(shape, size, stride, dtype):
    """Derivatives of the first and second order, for images and views, plates of any length."""
    g = scg.Graph("means")
    x = g.data("x", shape=shape, plates=BATCH)
    turned = g.data("turned", shape=(shape[0], shape[2], shape[1]), plates=BATCH)
    outputs = {}
    for name, leaf, image in (("x", x, x), ("turned", turned, np.swapaxes(turned, -1, -2))):
        y = scg.avg_pool(image, size, stride)
        (first,) = gradients(scg.plate_sum(np.sum(y * y * y), BATCH), [leaf])
        (second,) = gradients(scg.plate_sum(np.sum(first * leaf), BATCH), [leaf])
        outputs |= {(name, "value"): y, (name, "first"): first, (name, "second"): second}
    engines = [finish(outputs, dtype, backend).engine() for backend in ("numpy", "numba")]
    single, rng = dtype == "float32", np.random.default_rng(4)
    for length in (3, 0):
        leaves = {leaf: rng.normal(size=(length, *leaf.shape)) for leaf in (x, turned)}
        one, other = (engine.run(leaves, {BATCH: length}) for engine in engines)
        for name in outputs:
            expected, scale = one[name], np.max(np.abs(one[name]), initial=1e-3)
            error = (1e-5 if single else 1e-13) * scale
            np.testing.assert_allclose(other[name], expected, 0, error, err_msg=str(name))


def test_means_of_windows_in_runs():
    """Runs are one more axis, and a window that is not a number stays where it is."""
    g = scg.Graph("runs")
    z = g.sample("z", scg.Normal(g.parameter("m", np.zeros((2, 15, 17))), 1.0), plates=BATCH)
    g.cost("loss", np.sum(scg.avg_pool(z, 3, 2) ** 2) + g.data("d", shape=(), plates=BATCH))
    params, d = g.init(seed=0), np.zeros(4)
    params["m"][0, 0, 0] = np.nan
    found = [
        scg.compile(g, backend=backend, dtype="float32")(params, d=d, seed=1, runs=3).grads["m"]
        for backend in ("numpy", "numba")
    ]
    np.testing.assert_allclose(*found, rtol=1e-5, atol=1e-6)
    assert np.isnan(found[0][0, :3, :3]).all() and np.isnan(found[0]).sum() == 9


@POOLS
def test_windows_that_fill_an_image_take_one_loop(pool):
    """No array holds the windows of an image or of its gradient."""
    _, outputs = outputs_of(pool, 2)
    (loop,) = Schedule(outputs, np.float32).entries
    assert loop.space.lengths == (2, 3, 4)
