"""Arrays in any layout, writable or not, are what a C-contiguous copy of them is."""

import numpy as np
import pytest

import scg

pytest.importorskip("numba")


def unaligned(x):
    """Return the array one byte off the alignment of its type."""
    moved = np.empty(x.nbytes + 1, np.uint8)[1:].view(x.dtype).reshape(x.shape)
    moved[...] = x
    return moved


def strided(x, step):
    """Return the array as every second element along all axes, in either direction."""
    index = (slice(None, None, step),) * x.ndim
    wide = np.full([2 * n for n in x.shape], 99, x.dtype)
    wide[index] = x
    return wide[index]


def frozen(x):
    x = x.copy()
    x.setflags(write=False)
    return x


LAYOUTS = {
    "Fortran order": lambda x: x.copy(order="F"),
    "every second element": lambda x: strided(x, 2),
    "backwards": lambda x: strided(x, -2),
    "read-only": frozen,
    "byte-swapped": lambda x: x.astype(x.dtype.newbyteorder("S")),
    "unaligned": unaligned,
    "repeated": lambda x: np.broadcast_to(x[..., :1], x.shape) if x.ndim else x,
    "a subclass": lambda x: x.view(type("Own", (np.ndarray,), {})),
    "another type": lambda x: x.astype(np.longdouble if x.dtype.kind == "f" else np.int16),
    "nested lists": lambda x: x.tolist(),
}


@pytest.fixture(scope="module")
def steps():
    """Parameters, data of both kinds, and a state, on both backends and in both types."""
    g = scg.Graph("layouts")
    batch = scg.Plate("batch")
    x = g.data("x", shape=(3, 2), plates=batch)
    k = g.data("k", shape=(2,), kind="int", plates=batch)
    w = g.parameter("w", shape=(2, 4))
    h = g.sample("h", scg.Bernoulli(logits=np.sum(x @ w, axis=0)))
    g.cost("loss", np.sum(h) * np.sum(w[0][k]) + np.sum(np.square(x @ w)))
    baseline = scg.baselines.MovingAverage(0.9)
    return {
        (backend, dtype): scg.compile(
            g, scg.ScoreFunction(baseline=baseline), backend=backend, dtype=dtype
        )
        for backend in ("numba", "numpy")
        for dtype in ("float64", "float32")
    }


def arrays(dtype):
    rng = np.random.default_rng(0)
    values = {"x": rng.normal(size=(5, 3, 2)), "w": rng.normal(size=(2, 4))}
    return {n: v.astype(dtype) for n, v in values.items()} | {"k": rng.integers(0, 4, (5, 2))}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_layout_changes_no_bit(steps, layout, dtype):
    change = LAYOUTS[layout]
    given = {name: change(value) for name, value in arrays(dtype).items()}
    plain = {name: np.array(v, np.int64 if name == "k" else dtype) for name, v in given.items()}

    def run(step, values, change):
        params, data = {"w": values["w"]}, {"x": values["x"], "k": values["k"]}
        state = {
            node: {name: change(np.asarray(v + 0.3, dtype)) for name, v in own.items()}
            for node, own in step.init(seed=0).items()
        }
        noise = step.noise(seed=1, runs=3, data=data)
        noise = {name: change(v.copy()) for name, v in noise.items()}
        fast = step.bind(params, data=data, state=state)
        yield step(params, seed=1, data=data, state=state)
        yield step(params, seed=1, runs=3, data=data, state=state)
        yield fast(2)
        if layout != "repeated":  # that would be other noise
            yield step(params, noise=noise, data=data, state=state)

    for backend in ("numba", "numpy"):
        step = steps[backend, dtype]
        ours, theirs = run(step, given, change), run(step, plain, np.array)
        for one, two in zip(ours, theirs, strict=True):
            assert one.cost == two.cost
            np.testing.assert_array_equal(one.grads["w"], two.grads["w"])
    for name, value in arrays(dtype).items():  # nothing was written to
        np.testing.assert_array_equal(np.asarray(given[name]), np.asarray(change(value)))
