"""Keys of noise: the kernel's and the interpreter's are the same."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import scg
from scg.engine.codegen import native
from scg.engine.noise import keys
from scg.seeds import noise

pytest.importorskip("numba")

SEEDS = st.integers(0, 2**64 - 1) | st.integers(0, 2**200) | st.tuples(st.integers(0, 2**70))
NAMES = st.lists(st.text(max_size=300), min_size=1, max_size=5)


def by_kernel(seed, names):
    """The keys that the kernel writes, one word for each leaf."""
    leaves, word = keys.leaf_keys(names), np.array(noise.seed_word(seed), np.uint64)
    out = np.zeros(len(names) + 1, np.uint64)
    table = np.array([word.ctypes.data, leaves.ctypes.data, out.ctypes.data, len(names)])
    assert native.caller(keys.SOURCE, table.ctypes.data)() == 0
    assert out[-1] == 0  # nothing is written behind them
    return out[:-1]


def by_interpreter(seed, names):
    words = [noise.stream_key(seed, name) for name in names]
    return np.array(words, "<u4").reshape(-1, 2).copy().view(np.uint64)[:, 0]


@given(SEEDS, NAMES)
def test_keys_are_those_of_the_interpreter(seed, names):
    np.testing.assert_array_equal(by_kernel(seed, names), by_interpreter(seed, names))


@pytest.mark.parametrize("runs", [1, 3])
def test_steps_take_every_seed(runs):
    g = scg.Graph("toy")
    g.cost("loss", g.sample("z", scg.Normal(g.parameter("t", 0.5), 1.0)) ** 2)
    steps = [scg.compile(g, scg.ScoreFunction(), backend=b) for b in ("numpy", "numba")]
    fast = steps[1].bind(g.init(seed=0), runs=runs)
    seeds = (3, np.int64(3), (3,), 2**63, 2**64 - 2, 2**64 - 1, 2**64, 3)
    costs = [steps[0](g.init(seed=0), seed=seed, runs=runs).cost for seed in seeds]
    assert [fast(seed).cost for seed in seeds] == pytest.approx(costs, rel=1e-14)
    assert costs[0] == costs[1] == costs[-1] and len(set(costs)) == 6
    for wrong in (True, -1, 1.0, None):
        with pytest.raises(scg.CallError, match="seed"):
            fast(wrong)
    assert fast(3).cost == pytest.approx(costs[0], rel=1e-14)
