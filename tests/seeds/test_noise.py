"""Noise: the published generator, the open grid, and streams that share nothing.

Statistical tests use the fixture `seed`; each of their assertions fails by chance at a rate below
1e-9, and there are fewer than 200 of them: 2e-7 for the file.
"""

import math
from fractions import Fraction

import numpy as np
import pytest
from scipy import special, stats

from scg.errors import CallError
from scg.seeds.noise import (
    check_seed,
    normal,
    open_float32,
    open_float64,
    stream_key,
    threefry2x32,
    uniform,
)

RATE = 1e-9
ONES = 0xFFFFFFFF


def scalar_threefry(key, counter):
    """Threefry-2x32-20 in Python integers, written from the paper's description."""
    schedule = [key[0], key[1], 0x1BD11BDA ^ key[0] ^ key[1]]
    a, b = ((c + k) & ONES for c, k in zip(counter, schedule, strict=False))
    for r in range(20):
        rotation = (13, 15, 26, 6, 17, 29, 16, 24)[r % 8]
        a = (a + b) & ONES
        b = ((b << rotation | b >> (32 - rotation)) & ONES) ^ a
        if r % 4 == 3:
            s = r // 4 + 1
            a, b = (a + schedule[s % 3]) & ONES, (b + schedule[(s + 1) % 3] + s) & ONES
    return a, b


# ---- the generator ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "counter", "block"),
    [
        ((0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
        ((ONES, ONES), (ONES, ONES), (0x1CB996FC, 0xBB002BE7)),
        ((0x13198A2E, 0x03707344), (0x243F6A88, 0x85A308D3), (0xC4923A9C, 0x483DF7A0)),
    ],
)
def test_known_answers_of_random123(key, counter, block):
    x0, x1 = (np.full(3, c, np.uint32) for c in counter)
    threefry2x32((np.uint32(key[0]), np.uint32(key[1])), x0, x1)
    assert (x0 == block[0]).all() and (x1 == block[1]).all()
    assert scalar_threefry(key, counter) == block


def test_uniforms_are_the_published_blocks_on_the_stated_grids():
    """Each value again in Python integers and fractions, at both ends of the run counter."""
    runs, shape = range(2**32 - 2, 2**32), (3, 5)
    key = tuple(int(k) for k in stream_key((7, 0), "z"))
    doubles = uniform((7, 0), "z", runs, shape, np.float64).reshape(2, 15)
    singles = uniform((7, 0), "z", runs, shape, np.float32).reshape(2, 15)
    for row, run in enumerate(runs):
        for i in range(15):
            w0, w1 = scalar_threefry(key, (run, i))
            k = (w0 >> 12) << 32 | w1
            assert Fraction(float(doubles[row, i])) == Fraction(2 * k + 1, 2**53)
            k = scalar_threefry(key, (run, i // 2))[i % 2] >> 9
            assert Fraction(float(singles[row, i])) == Fraction(2 * k + 1, 2**24)


@pytest.mark.parametrize("runs", [range(2**32 - 2, 2**32), range(5, 9), range(1, 2**32, 2**31)])
def test_runs_of_a_scalar_share_a_block_in_float32(runs):
    key = tuple(int(k) for k in stream_key(7, "z"))
    doubles, singles = (uniform(7, "z", runs, (), t) for t in (np.float64, np.float32))
    for row, run in enumerate(runs):
        w0, w1 = scalar_threefry(key, (run, 0))
        assert Fraction(float(doubles[row])) == Fraction(2 * ((w0 >> 12) << 32 | w1) + 1, 2**53)
        k = scalar_threefry(key, (run // 2, 0))[run % 2] >> 9
        assert Fraction(float(singles[row])) == Fraction(2 * k + 1, 2**24)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_counters_across_tiles(dtype):
    """Runs and elements far from the first ones, where the work is cut into pieces."""
    key = tuple(int(k) for k in stream_key(9, "z"))
    for shape, places in (((150_001,), [(1, 99_999), (0, 150_000)]), ((3,), [(59_999, 2)])):
        u = uniform(9, "z", range(max(run for run, _ in places) + 1), shape, dtype)
        for run, i in places:
            if dtype is np.float64:
                w0, w1 = scalar_threefry(key, (run, i))
                expected = Fraction(2 * ((w0 >> 12) << 32 | w1) + 1, 2**53)
            else:
                expected = Fraction(
                    2 * (scalar_threefry(key, (run, i // 2))[i % 2] >> 9) + 1, 2**24
                )
            assert Fraction(float(u[run, i])) == expected


def test_streams_never_change():
    """Published results name a seed: these values are a promise, not a snapshot."""
    assert [hex(k) for k in stream_key(1, "b")] == ["0x2aa0dde4", "0xe20bc8fe"]
    assert [hex(k) for k in stream_key((1, 2), "b")] == ["0xc17dd091", "0x99385f9c"]
    u = uniform(1, "b", range(2), (), np.float64)
    assert u.tolist() == [0.0019553910887272208, 0.04104123557902095]
    u = uniform(1, "b", range(4), (), np.float32)
    words = [0x00802C02, 0x604C6E7B, 0x0A81AA64, 0xDAC996D7]
    assert u.tolist() == [((word >> 9) + 0.5) / 2**23 for word in words]


# ---- the open interval ---------------------------------------------------------------------------


def test_float64_is_open_at_the_extreme_words():
    x0 = np.array([0, 0, 0xFFF, 0x1000, ONES, ONES], np.uint32)
    x1 = np.array([0, 1, 0, 0, ONES - 1, ONES], np.uint32)
    k = [0, 1, 0, 2**32, 2**52 - 2, 2**52 - 1]
    u = np.empty(6)
    open_float64(x0, x1, u)
    assert [Fraction(v) for v in u.tolist()] == [Fraction(2 * j + 1, 2**53) for j in k]
    assert u.min() > 0 and u.max() < 1
    assert (1 - (1 - u) == u).all() and (1 - u[-1]) == u[0]


def test_float32_is_the_whole_open_grid():
    """All 2**23 values: the midpoints in order, none at 0 or 1, closed under 1 - u."""
    words = np.arange(2**23, dtype=np.uint32) << np.uint32(9)
    words[1::2] |= np.uint32(0x1FF)  # the lower nine bits do not count
    u = np.empty(2**23, np.float32)
    open_float32(words[0::2], words[1::2], u)
    assert (u.astype(np.float64) * 2**24 == 2 * np.arange(2**23) + 1).all()
    assert u[0] > 0 and u[-1] < 1
    assert (np.float32(1) - u == u[::-1]).all()


# ---- shape, dtype, blocking ----------------------------------------------------------------------


@pytest.mark.parametrize("draw", [uniform, normal])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("shape", [(), (1,), (2,), (3,), (2, 3), (0,), (4, 0)])
def test_shape_and_dtype(draw, dtype, shape):
    for runs in (range(0), range(1), range(5)):
        z = draw(0, "z", runs, shape, dtype)
        assert z.shape == (len(runs), *shape) and z.dtype == dtype
        assert z.flags.c_contiguous and z.flags.writeable


def test_the_normal_is_the_inverse_cdf_of_the_uniform():
    for dtype in (np.float64, np.float32):
        u, z = (draw(0, "z", range(7), (31,), dtype) for draw in (uniform, normal))
        expected = special.ndtri(u.astype(np.float64))
        np.testing.assert_allclose(z, expected, rtol=5 * np.finfo(dtype).eps)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("shape", [(), (3,), (4, 5), (40_001,), (70_001,)])
def test_results_do_not_depend_on_blocking(dtype, shape):
    """Shapes below, near and above one tile; runs in one go, in pieces, with a stride, reversed."""
    whole = uniform(5, "z", range(10), shape, dtype)
    for part in (range(3, 5), range(9, 10), range(1, 10, 4), range(9, -1, -1)):
        assert (uniform(5, "z", part, shape, dtype) == whole[list(part)]).all()


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_results_do_not_depend_on_blocking_of_many_runs(dtype):
    whole = uniform(5, "z", range(70_000), (3,), dtype)
    pieces = [uniform(5, "z", range(i, i + 7_000), (3,), dtype) for i in range(0, 70_000, 7_000)]
    assert (np.concatenate(pieces) == whole).all()


def test_the_first_elements_do_not_depend_on_the_size():
    """A plate that grows keeps the noise of the elements that it had."""
    for dtype in (np.float64, np.float32):
        long, *others = (uniform(5, "z", range(4), (n,), dtype) for n in (9, 4, 1))
        for short in others:
            assert (long[:, : short.shape[1]] == short).all()


# ---- independence --------------------------------------------------------------------------------


@pytest.mark.parametrize("draw", [uniform, normal])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("shape", "axis"), [((7,), 0), ((5, 7), 0), ((5, 7), 1), ((3, 7, 5), 1)])
def test_a_part_of_an_axis_is_that_of_the_whole(draw, dtype, shape, axis):
    whole = draw(3, "a/u", range(4, 6), shape, dtype)
    for indices in (range(0, 3), range(3, shape[axis]), range(1, 2), range(2, 2)):
        part = draw(3, "a/u", range(4, 6), shape, dtype, (axis, indices))
        expected = np.take(whole, np.asarray(indices, int), axis + 1)
        np.testing.assert_array_equal(part, expected)
    large = draw(3, "a/u", range(1), (70_001, 3), dtype)
    part = draw(3, "a/u", range(1), (70_001, 3), dtype, (0, range(11_111, 70_001)))
    np.testing.assert_array_equal(part, large[:, 11_111:])


def test_seeds_and_leaves_have_streams_of_their_own():
    seeds = [0, 1, 2, 12, 0x12, 120, 2**64, 2**64 + 1, 16**5000, (16**5000,), (0,), (1,), (12,)]
    seeds += [(0x12,), (0, 0), (0, 12), (12, 0), (1, 2), (2, 1), (1, 2, 3), (12, 3), (1, 23)]
    leaves = [
        "",
        "a",
        "b",
        "ab",
        "a/b",
        "a\nb",
        "\na",
        "2\na",
        "(1,2)\na",
        "1",
        "é",
        "\ud800",
        "\0",
    ]
    keys = {stream_key(seed, leaf) for seed in seeds for leaf in leaves}
    assert len(keys) == len(set(seeds)) * len(leaves) == len(seeds) * len(leaves)
    assert stream_key(np.int64(12), "a") == stream_key(np.uint8(12), "a") == stream_key(12, "a")
    assert stream_key((np.int32(1), 2), "a") == stream_key((1, 2), "a")


def assert_uniform(u):
    """KS distance, and chi-square over cells on both sides (too even is wrong as well)."""
    u = np.sort(u.ravel().astype(np.float64))
    n, cells = u.size, 256 if u.size >= 2**14 else 16
    distance = max((np.arange(1, n + 1) / n - u).max(), (u - np.arange(n) / n).max())
    assert distance < math.sqrt(math.log(2 / RATE) / (2 * n))  # Massart 1990: exact bound
    count = np.bincount((u * cells).astype(int), minlength=cells)
    chi2 = ((count - n / cells) ** 2).sum() / (n / cells)
    law = stats.chi2(cells - 1)
    assert law.ppf(RATE / 2) < chi2 < law.isf(RATE / 2)


def assert_uncorrelated(u, v):
    """Correlation of u with v, and of their distances from 1/2 (symmetric dependence)."""
    assert u.size == v.size >= 10_000
    for f in (lambda w: w - 0.5, lambda w: np.abs(w - 0.5) - 0.25):
        a, b = f(u.ravel().astype(np.float64)), f(v.ravel().astype(np.float64))
        z = (a * b).sum() / (a.std() * b.std() * math.sqrt(a.size))
        assert abs(z) < stats.norm.isf(RATE / 2)


@pytest.mark.statistical
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("shape", [(2**19, ()), (1, (2**19,)), (2**10, (2**9,))])
def test_uniformity_and_independence_within_a_leaf(seed, dtype, shape):
    runs, event = shape
    u = uniform(seed, "z", range(runs), event, dtype)
    assert_uniform(u)
    flat = u.reshape(runs, -1)
    for lag in (1, 2, 3, 256):
        if runs > lag:
            assert_uncorrelated(flat[lag:], flat[:-lag])
        if flat.shape[1] > lag:
            assert_uncorrelated(flat[:, lag:], flat[:, :-lag])


@pytest.mark.statistical
def test_every_bit_of_the_grid_is_fair(seed):
    """Also the low bits, that the tests on the value cannot see."""
    n = 2**18
    for dtype, bits in ((np.float64, 52), (np.float32, 23)):
        u = uniform(seed, "bits", range(n), (), dtype).astype(np.float64)
        k = ((u * 2.0 ** (bits + 1)).astype(np.uint64) - np.uint64(1)) >> np.uint64(1)
        ones = ((k[:, None] >> np.arange(bits, dtype=np.uint64)) & np.uint64(1)).sum(axis=0)
        limit = stats.norm.isf(RATE / 2 / bits)
        assert np.abs(2 * ones.astype(float) - n).max() / math.sqrt(n) < limit


@pytest.mark.statistical
def test_neighbouring_seeds_leaves_and_runs_are_independent(seed):
    def draw(seed, leaf="z", first=0):
        return uniform(seed, leaf, range(first, first + 2**16), (), np.float64)

    here = draw(seed)
    others = [draw(seed + 1), draw((seed,)), draw((seed, 0)), draw((seed, 1)), draw((0, seed))]
    others += [draw(seed, "z "), draw(seed, "y"), draw(seed, "z", 2**16), draw(seed, "z", 2**31)]
    others.append(draw(seed + 2**32))
    for other in others:
        assert_uniform(other)
        assert_uncorrelated(here, other)
    assert_uniform(np.array([draw(s)[0] for s in range(500)]))  # first draws of many seeds
    assert_uniform(np.array([draw((seed, s))[0] for s in range(500)]))  # and of steps


@pytest.mark.statistical
def test_neighbouring_runs_of_float32_scalars_are_independent(seed):
    """Those of a block, and those of the next one: joint cells, correlations, joint bits."""
    u = uniform(seed, "pairs", range(2**20), (), np.float32).astype(np.float64)
    limit = stats.norm.isf(RATE / 2 / 23**2)
    for a, b in (
        (u[0::2], u[1::2]),
        (u[1:-1:2], u[2::2]),
        (u[:-2:2], u[2::2]),
        (u[1:-2:2], u[3::2]),
    ):
        assert_uniform(a)
        assert_uncorrelated(a, b)
        assert_uniform((np.floor(a * 64) + b) / 64)  # uniform if and only if b is given a's cell
        x, y = (((v * 2**23).astype(np.int64)[:, None] >> np.arange(23) & 1) - 0.5 for v in (a, b))
        assert np.abs(4 * x.T @ y).max() / math.sqrt(len(a)) < limit


@pytest.mark.statistical
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_normals_are_normal(seed, dtype):
    z = normal(seed, "z", range(2**17), (), dtype).astype(np.float64)
    assert_uniform(special.ndtr(z))
    assert abs(z.sum()) < stats.norm.isf(RATE / 2) * math.sqrt(z.size)
    law = stats.chi2(z.size)
    assert law.ppf(RATE / 2) < (z**2).sum() < law.isf(RATE / 2)


# ---- errors --------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [0, 5, 2**100, (3,), (1, 2), np.int64(4), (np.uint8(1), 2)])
def test_check_seed_returns_plain_integers(seed):
    checked = check_seed(seed)
    assert checked == seed
    words = checked if isinstance(checked, tuple) else (checked,)
    assert all(type(word) is int for word in words)


@pytest.mark.parametrize(
    ("seed", "match"),
    [
        (1.0, r"got 1\.0, a float; write e\.g\. seed=1"),
        (True, "got True, a bool"),
        (np.True_, ", a bool"),
        (None, "got None, a NoneType"),
        ("1", "got .1., a str"),
        ([1, 2], r"got \[1, 2\], a list; .* seed=\(1, step\)"),
        (np.array([1]), ", a ndarray"),
        ((1, 2.0), r"got \(1, 2\.0\) with a float"),
        ((1, (2,)), "with a tuple"),
        ((False,), "with a bool"),
        (-1, "not be negative, got -1; write e.g. 1"),
        ((3, -2), r"not be negative, got \(3, -2\)"),
        (np.int8(-128), "write e.g. 128"),
        ((), r"empty tuple; write e\.g\. seed=\(1, step\)"),
    ],
)
def test_bad_seeds(seed, match):
    with pytest.raises(CallError, match=match):
        check_seed(seed)
    with pytest.raises(CallError, match=match):
        uniform(seed, "z", range(1), (), np.float64)


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        ((0, b"z", range(1), (), "float64"), TypeError, "named by a str, got b'z'"),
        ((0, "z", 5, (), "float64"), TypeError, r"leaf 'z': runs is a range, .* got 5"),
        ((0, "z", range(1), (), "float16"), TypeError, "float64 or float32, not float16"),
        ((0, "z", range(1), (), "int64"), TypeError, "float64 or float32, not int64"),
        ((0, "z", range(-1, 3), (), "float64"), ValueError, r"got range\(-1, 3\); .* another seed"),
        ((0, "z", range(3, -2, -1), (), "float64"), ValueError, "0 to 2\\*\\*32 - 1"),
        ((0, "z", range(2**32, 2**32 + 1), (), "float64"), ValueError, "another seed"),
        ((0, "z", range(2**40), (), "float64"), ValueError, "another seed"),
        ((0, "z", range(1), (2**16, 2**17), "float32"), ValueError, "8589934592 elements"),
        ((0, "z", range(1), (2**32 + 1,), "float64"), ValueError, "split the node"),
    ],
)
def test_what_has_no_counter_is_an_error_before_memory_is_touched(arguments, error, match):
    with pytest.raises(error, match=match):
        uniform(*arguments)
