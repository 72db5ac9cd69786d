"""What grows with a graph, and what does not: kernels, time to compile, memory of a call."""

import ctypes
import gc
import resource
import sys
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

import scg

native = pytest.importorskip("scg.engine.codegen.native")


def chain(length):
    g = scg.Graph("chain")
    h = g.data("x", shape=(3,), plates=scg.Plate("batch"))
    w = g.parameter("W", shape=(3, 3))
    for t in range(length):
        h = g.sample(f"h{t}", scg.Bernoulli(logits=h @ w))
    g.cost("loss", np.sum((h - 0.3) ** 2))
    return g


def compiled(length):
    g = chain(length)
    step = scg.compile(g, scg.ScoreFunction(), backend="numba")
    params, x = g.init(seed=0), np.ones((2, 3))

    def call(seed):
        return step(params, seed=seed, x=x)

    return step, call


@pytest.fixture
def loaded(monkeypatch):
    """Kernels that were compiled, or loaded from the disk cache."""
    found, load = [], native._load
    monkeypatch.setattr(native, "_load", lambda payload: found.append(payload) or load(payload))
    monkeypatch.setattr(native, "_addresses", {})
    return found


def test_sizes_seeds_and_runs_never_compile_again(loaded):
    """One call of one run and one of several: after that everything is in the table."""
    g = chain(2)
    step = scg.compile(g, scg.LeaveOneOut(samples=2), backend="numba")
    params = g.init(seed=0)

    def call(batch, seed, runs):
        assert np.isfinite(step(params, seed=seed, runs=runs, x=np.ones((batch, 3))).cost)

    call(5, 0, 1)
    call(5, 0, 2)
    assert loaded
    loaded.clear()
    for batch, seed, runs in [(1, 0, 1), (64, 7, 1), (7, (1, 2), 3), (5, 0, 1000), (1000, 3, 50)]:
        call(batch, seed, runs)
    call(5, 0, 50_000)  # in stretches
    assert not loaded


def test_kernels_do_not_grow_with_depth():
    """A long sum is cut to nests of one length; the rest of it is one kernel more."""
    shallow, deep = (scg.compile(chain(n), scg.ScoreFunction(), backend="numba") for n in (60, 240))
    few, many = (step.program.engine() for step in (shallow, deep))
    assert len(many.schedule.entries) > 3 * len(few.schedule.entries)
    assert len(set(many.sources)) <= len(set(few.sources)) + 1


def test_time_to_compile_is_linear_in_depth():
    """Twice as slow as linear would be an error; the machine may be busy."""

    def seconds(length):
        start = time.process_time()
        _, call = compiled(length)
        call(0)
        return time.process_time() - start

    seconds(8)  # kernels
    small = min(seconds(30) for _ in range(3))
    assert min(seconds(240) for _ in range(2)) < 8 * 2 * small + 0.1


def test_a_node_takes_the_memory_of_its_state_and_its_probability():
    """Noise, logits and residuals of all nodes share a place; a key has eight bytes."""

    def length(nodes):
        step = scg.compile(chain(nodes), scg.ScoreFunction(), backend="numba")
        step(step.graph.init(seed=0), seed=0, x=np.ones((64, 3)))
        (plan,) = step.program.engine()._plans.values()
        return plan._bytes

    array = 64 * 3 * 8
    assert abs(length(120) - length(60) - 60 * (2 * array + 8)) < array


def test_runs_take_bounded_memory():
    """A double for each of thirty million runs would be 240 MB; a program has several."""
    g, runs = scg.Graph("toy"), 30_000_000
    b = g.sample("b", scg.Bernoulli(logits=g.parameter("theta", 0.4)))
    g.cost("loss", (b - 0.499) ** 2)
    step = scg.compile(g, scg.ScoreFunction(), backend="numba")
    params = g.init(seed=0)
    step(params, seed=0, runs=2)
    tracemalloc.start()
    try:
        out = step(params, seed=1, runs=runs)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert out.runs == runs and out.stderr["theta"] < 1e-4
    assert peak < 150e6


KERNEL = """def kernel(table):
    for i in range(word(table, 0)):
        x = load_f8(word(table, 1), i, 0, 4)
        for _ in range(3):
            x = exp_f8(x) + log_f8(x) * f8({}.5)
        store_f8(word(table, 2), i, x, 1, 4)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_compiled_kernel_keeps_little_memory(monkeypatch):
    """What llvmlite does not free of itself was a third of a megabyte a kernel."""
    monkeypatch.setenv("SCG_CACHE_DIR", "")

    def resident():
        gc.collect()
        ctypes.CDLL(None).malloc_trim(0)
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()

    for number in range(2):
        native.address(KERNEL.format(number))
    before = resident()
    for number in range(2, 14):
        native.address(KERNEL.format(number))
    assert (resident() - before) / 12 < 250_000
