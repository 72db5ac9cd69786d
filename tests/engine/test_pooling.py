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


@POOLS
def test_windows_that_fill_an_image_take_one_loop(pool):
    """No array holds the windows of an image or of its gradient."""
    _, outputs = outputs_of(pool, 2)
    (loop,) = Schedule(outputs, np.float32).entries
    assert loop.space.lengths == (2, 3, 4)
