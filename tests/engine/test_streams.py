"""Noise of compiled kernels: the interpreter's bits, and published known answers."""

import ctypes

import numpy as np
import pytest

from scg.engine import native, noise, streams

pytest.importorskip("numba")


def filled(law, dtype, seed, leaf, runs, shape):
    """Fill an array by a compiled kernel, as a frame does."""
    code = {np.float32: "f4", np.float64: "f8"}[dtype]
    out = np.full((len(runs), *shape), np.nan, dtype)
    _, words, _ = streams.table([0], [out.shape], [True], out.itemsize)
    key = np.frombuffer(streams.keys(seed, [leaf.encode()]), np.uint64)
    words[:, 0], words[:, 1], words[:, 4] = key.ctypes.data, runs.start, out.ctypes.data
    scratch = np.zeros(2, np.int64)
    function = ctypes.CFUNCTYPE(ctypes.c_int, *[ctypes.c_void_p] * 3)
    at = scratch.ctypes.data
    function(native.address(streams.source(law, code)))(at, at + 8, words.ctypes.data)
    return out


SHAPES = [(), (1,), (2,), (5,), (4, 6), (3, 1001)]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("runs", [range(1), range(3), range(2**32 - 3, 2**32 - 1)])
def test_uniforms_are_those_of_the_interpreter_bit_for_bit(dtype, shape, runs):
    found = filled("uniform", dtype, (3, 2**70), "h/ü", runs, shape)
    expected = noise.uniform((3, 2**70), "h/ü", runs, shape, dtype)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(), (5,), (33,), (50_001,)])
def test_normals_are_those_of_the_interpreter_bit_for_bit(dtype, shape):
    for runs in (range(4), range(7, 40)):
        found = filled("normal", dtype, 7, "z/n", runs, shape)
        expected = noise.normal(7, "z/n", runs, shape, dtype)
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("seed", [0, 12, (12,), (1, 2)])
def test_keys_are_those_of_the_interpreter(seed):
    names = ["a", "h/u", "ünicode"]
    found = streams.keys(seed, [name.encode() for name in names])
    assert np.frombuffer(found, "<u4").reshape(-1, 2).tolist() == [
        list(noise.stream_key(seed, name)) for name in names
    ]


#: Key, counter and result of threefry2x32 with 20 rounds, from the authors' Random123 distribution.
KNOWN = [
    ((0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
    ((0xFFFFFFFF, 0xFFFFFFFF), (0xFFFFFFFF, 0xFFFFFFFF), (0x1CB996FC, 0xBB002BE7)),
    ((0x13198A2E, 0x03707344), (0x243F6A88, 0x85A308D3), (0xC4923A9C, 0x483DF7A0)),
]


@pytest.mark.parametrize(("key", "counter", "answer"), KNOWN)
def test_threefry_gives_the_known_answers(key, counter, answer):
    source = (
        "def kernel(table):\n"
        "    key, run, block = word(table, 0), word(table, 1), word(table, 2)\n"
        "    draw_uniform_f8_blocks(key, run, block, word(table, 3), u8(1))\n"
    )
    out, scratch = np.zeros(1), np.zeros(2, np.int64)
    words = np.array([key[0] << 32 | key[1], *counter, out.ctypes.data], np.uint64)
    function = ctypes.CFUNCTYPE(ctypes.c_int, *[ctypes.c_void_p] * 3)
    at = scratch.ctypes.data
    function(native.address(source))(at, at + 8, words.ctypes.data)
    k = (answer[0] >> 12) << 32 | answer[1]
    assert out[0] == (k + 0.5) * 2.0**-52
