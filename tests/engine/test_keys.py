"""Keys of noise: the kernel's, Python's and the interpreter's are the same."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import scg
from scg.engine.codegen import native
from scg.engine.noise import keys
from scg.seeds import noise

pytest.importorskip("numba")


def by_kernel(seed, leaves, before=0):
    """Return the keys that the kernel writes over those before it, one word for each leaf."""
    names = keys.Names(leaves)
    memory = np.full(names.room + 1, 0xA5, np.uint8)  # nothing relies on zeros, or writes behind it
    row = names.row(0, 0, 0)
    words, out = np.array(row.words), np.full(len(leaves), before, np.uint64)
    own = np.array([seed], np.uint64)
    for k, array in zip((0, 2, 3), (own, memory, out), strict=True):
        words[k] = array.ctypes.data
    assert native.caller(keys.SOURCE, words.ctypes.data)() == 0
    assert memory[-1] == 0xA5
    return out


def by_interpreter(seed, names):
    words = [noise.stream_key(seed, name) for name in names]
    return np.array(words, "<u4").reshape(-1, 2).copy().view(np.uint64)[:, 0]


NAMES = st.lists(st.text(max_size=300), min_size=1, max_size=5)


@given(st.integers(0, keys.GIVEN - 1), NAMES)
def test_keys_are_those_of_the_interpreter(seed, names):
    leaves = [name.encode("utf-8", "surrogatepass") for name in names]
    expected = by_interpreter(seed, names)
    np.testing.assert_array_equal(by_kernel(seed, leaves), expected)
    np.testing.assert_array_equal(np.frombuffer(keys.Names(leaves).keys(seed), np.uint64), expected)


@pytest.mark.parametrize("length", [0, 1, 109, 110, 111, 125, 126, 127, 237, 238, 254, 255, 1000])
@pytest.mark.parametrize("seed", [0, 15, 16, 2**32, keys.GIVEN - 1])
def test_messages_fill_blocks_exactly_or_not(seed, length):
    """A message of 128 bytes is one block, of 129 two."""
    name = "x" * length
    found = by_kernel(seed, [name.encode(), b"y", name.encode()])
    np.testing.assert_array_equal(found, by_interpreter(seed, [name, "y", name]))


@pytest.mark.parametrize("seed", [(12,), (1, 2), 2**64 - 1, 2**64, 2**200])
def test_seeds_that_are_no_word_are_hashed_by_python(seed):
    names = ["a", "h/u", "ünicode"]
    found = keys.Names([name.encode() for name in names]).keys(seed)
    np.testing.assert_array_equal(np.frombuffer(found, np.uint64), by_interpreter(seed, names))


def test_given_keys_stay():
    np.testing.assert_array_equal(by_kernel(keys.GIVEN, [b"a", b"b"], before=7), [7, 7])


@pytest.mark.parametrize("runs", [1, 3])
def test_steps_take_either_way(runs):
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
