"""Noise of compiled kernels: the interpreter's bits, and published known answers."""

import math

import numpy as np
import pytest
from scipy import special

import scg
from scg.engine.codegen import native
from scg.engine.noise import streams
from scg.engine.program import Program
from scg.seeds import noise

pytest.importorskip("numba")


def filled(law, dtype, seed, leaf, runs, shape, kind="any"):
    """Fill an array by a compiled kernel, as a frame does."""
    code = {np.float32: "f4", np.float64: "f8"}[dtype]
    out = np.full((len(runs), *shape), np.nan, dtype)
    key = np.array(noise.stream_key(seed, leaf), "<u4").view(np.uint64)
    first, each = np.array(runs.start), math.prod(shape)
    at = (array.ctypes.data for array in (key, first))
    fill = streams.Fill(*at, 0, len(runs), each, out.ctypes.data, each * out.itemsize, 0)
    words = np.array(fill)
    native.caller(streams.source(law, code, kind if shape else "scalar"), words.ctypes.data)()
    return out


SHAPES = [(), (1,), (2,), (5,), (4, 6), (3, 1001)]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    "runs", [range(1), range(3), range(5, 6), range(7, 500), range(2**32 - 3, 2**32 - 1)]
)
def test_uniforms_are_those_of_the_interpreter_bit_for_bit(dtype, shape, runs):
    expected = noise.uniform((3, 2**70), "h/ü", runs, shape, dtype)
    for kind in ("any", "many"):
        found = filled("uniform", dtype, (3, 2**70), "h/ü", runs, shape, kind)
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(), (5,), (33,), (50_001,)])
def test_normals_are_those_of_the_interpreter_bit_for_bit(dtype, shape):
    for runs in (range(4), range(7, 40), range(2**32 - 401, 2**32)):
        expected = noise.normal(7, "z/n", runs, shape, dtype)
        for kind in ("any", "many"):
            found = filled("normal", dtype, 7, "z/n", runs, shape, kind)
            np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("law", ["uniform", "normal"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_hundred_thousand_scalars_and_heads_are_those_of_the_interpreter(law, dtype):
    for shape in ((), (1,)):
        found = filled(law, dtype, 1, "z", range(3, 100_004), shape)
        expected = getattr(noise, law)(1, "z", range(3, 100_004), shape, dtype)
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "runs", [range(1), range(4, 5), range(5, 6), range(5, 12), range(9, 200_000)]
)
def test_programs_draw_the_noise_of_the_interpreter_whatever_the_size_of_a_plate(dtype, runs):
    """A plate of one element is not a leaf without plates, though both draw one element a run."""
    g, batch = scg.Graph("mixed"), scg.Plate("batch")
    x = g.data("x", shape=(), plates=batch)
    g.cost("c", g.sample("alone", scg.Normal(0.0, 1.0)) * g.sample("each", scg.Normal(x, 1.0)))
    leaves = scg.compile(g, scg.Reparameterization(), backend="numpy").program.noise
    program = Program(dict(leaves), dtype, "numba")
    one, three = ({batch: size} for size in (1, 3))
    for sizes in (one, three):
        found, expected = program.sample({}, 3, runs, sizes), program.draw_noise(3, runs, sizes)
        assert found.keys() == expected.keys() == {"alone/n", "each/n"}
        for name, array in expected.items():
            np.testing.assert_array_equal(found[name], array)
    grown = program.draw_noise(3, runs, three)["each/n"]
    np.testing.assert_array_equal(program.draw_noise(3, runs, one)["each/n"], grown[:, :1])


@pytest.mark.parametrize("runs", [1, 3])
def test_a_failure_is_explained_by_the_noise_that_made_it(runs):
    """The interpreter finds the index, though other arrays might have had the place of noise."""
    g, w = scg.Graph("chain"), np.linspace(0.0, 0.3, 6)
    total = k = g.sample("first", scg.Categorical(logits=w))
    for t in range(20):
        k = g.sample(f"k{t}", scg.Categorical(logits=w * k))
        total = total + k
    g.cost("loss", g.parameter("table", np.ones(3))[total])
    found = []
    for backend in ("numba", "numpy"):
        step = scg.compile(g, scg.ScoreFunction(), backend=backend)
        with pytest.raises(scg.CallError, match="from 0 to 2") as error:
            step(g.init(seed=0), seed=0, runs=runs)
        found.append(str(error.value))
    assert found[0] == found[1]


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
        "    draw_uniform_f8_blocks(key, run, block, word(table, 3), u8(0), u8(1))\n"
    )
    out = np.zeros(1)
    words = np.array([key[0] << 32 | key[1], *counter, out.ctypes.data], np.uint64)
    native.caller(source, words.ctypes.data)()
    k = (answer[0] >> 12) << 32 | answer[1]
    assert out[0] == (k + 0.5) * 2.0**-52


@pytest.mark.statistical
@pytest.mark.parametrize(("dtype", "bits"), [(np.float32, 23), (np.float64, 52)])
def test_a_hundred_million_uniforms_are_open_on_the_grid_and_fair(seed, dtype, bits):
    """All points of the float32 grid, and as many cells of the float64 one: a false alarm in 1e9.

    Every u is an odd multiple of half a step, so that neither 0 nor 1 is drawn; the counts of the
    2^23 cells have the mean 12, and their chi-square is normal to 1e-3.
    """
    count = np.zeros(2**23, np.int64)
    block, blocks = 2_000_000, 50
    for i in range(blocks):
        (u,) = filled("uniform", dtype, seed, "many/u", range(i, i + 1), (block,))
        u *= dtype(2.0 ** (bits + 1))
        odd = u.astype(np.int64)
        assert (odd == u).all() and (odd & 1).all()
        assert odd.min() > 0 and odd.max() < 2 ** (bits + 1)
        count += np.bincount(odd >> (bits - 22), minlength=len(count))
    mean = block * blocks / len(count)
    chi2 = np.sum((count - mean) ** 2) / mean
    z = (chi2 - (len(count) - 1)) / np.sqrt(2 * (len(count) - 1))
    assert abs(z) < 6.2


@pytest.mark.statistical
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_ten_million_normals_have_the_moments_and_tails_of_the_law(seed, dtype):
    """Moments against their own standard errors, and six tails: fails by chance below 1e-8."""
    count, shape = 20, (500_000,)
    sums, beyond, edges = np.zeros(4), np.zeros(6), np.array([-4.0, -3.0, -1.0, 1.0, 3.0, 4.0])
    for i in range(count):
        (z,) = filled("normal", dtype, seed, "many/n", range(i, i + 1), shape).astype(np.float64)
        square = z * z
        sums += [np.sum(z), np.sum(square), np.dot(square, z), np.dot(square, square)]
        beyond += [np.count_nonzero(z > edge) for edge in edges]
    n = count * shape[0]
    mean, variance = np.array([0.0, 1.0, 0.0, 3.0]), np.array([1.0, 2.0, 15.0, 96.0])
    assert (np.abs(sums / n - mean) < 6.3 * np.sqrt(variance / n)).all()
    p = special.ndtr(-edges)
    assert (np.abs(beyond / n - p) < 6.3 * np.sqrt(p * (1 - p) / n)).all()
