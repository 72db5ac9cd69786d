"""The interpreter and programs: alignment, liveness, blocks of runs, noise, single precision."""

import tracemalloc

import numpy as np
import pytest

import scg
from scg.compiler.differentiate import gradients
from scg.engine import program as programs
from scg.engine.interpreter import Interpreter, full
from scg.engine.program import Program
from scg.ir.walk import topological
from scg.run.finish import finish


def layers():
    """Two Bernoulli layers on a batch, a global draw, and a cost that mixes all of them."""
    g = scg.Graph("layers")
    batch = scg.Plate("batch")
    x = g.data("x", 3, plates=batch)
    W = g.parameter("W", np.linspace(-1, 1, 12).reshape(3, 4))
    scale = g.parameter("scale", 0.3)
    h = g.sample("h", scg.Bernoulli(logits=x @ W))
    y = g.sample("y", scg.Normal(np.sum(h) * 0.1, np.exp(scale)))
    z = g.sample("z", scg.Bernoulli(logits=scale))
    g.cost("loss", (y - z) ** 2 + np.sum(h * x[0]) * scale)
    return g


GRAPH = layers()
STEP = scg.compile(GRAPH, scg.ScoreFunction(), backend="numpy")
PARAMS = GRAPH.init(seed=0)
DATA = {"x": np.random.default_rng(0).normal(size=(5, 3))}


# --- alignment ------------------------------------------------------------------------------------
def test_plates_come_first_in_the_order_in_which_they_were_made():
    g = scg.Graph("order")
    p, q, r = (scg.Plate(name) for name in "pqr")
    late = g.data("late", 2, plates=(r, p))
    early = g.data("early", (3, 2), plates=q)
    y = late * early
    assert late.plates == (p, r) and y.plates == (p, q, r) and y.shape == (3, 2)
    rng = np.random.default_rng(0)
    sizes = {p: 2, q: 4, r: 5}
    values = {"late": rng.normal(size=(2, 5, 2)), "early": rng.normal(size=(4, 3, 2))}
    out = Program({"y": y}).run(values, None, sizes)["y"][0]
    expected = np.einsum("prb,qab->pqrab", values["late"], values["early"])
    np.testing.assert_allclose(out, expected, rtol=1e-15)
    assert full(y, sizes) == out.shape and scg.Plate("f", length=7).elements(sizes) == 7


def test_an_output_without_plates_is_not_repeated():
    g = scg.Graph("plain")
    p = scg.Plate("p")
    x, w = g.data("x", plates=p), g.parameter("w", np.zeros(2))
    program = Program({"sum": scg.plate_sum(x, p), "w": np.exp(w), "mean": scg.plate_mean(x, p)})
    out = program.run({"x": np.arange(4.0), "w": np.zeros(2)}, None, {p: 4})
    assert {key: value.shape for key, value in out.items()} == {
        "sum": (1,),
        "w": (1, 2),
        "mean": (1,),
    }
    assert out["sum"][0] == 6.0 and out["mean"][0] == 1.5


def test_leaves_and_operations_of_a_program():
    program = STEP.program
    assert {leaf.attrs["name"] for leaf in program.leaves} == {
        *("W", "scale", "x"),
        *("h/u", "y/n", "z/u"),
    }
    assert set(program.noise) == {"h/u", "y/n", "z/u"}
    assert len(program) == len(program.operations) == sum(bool(e.args) for e in program.operations)
    text = str(program)
    assert text.count("\n") + 1 == len(topological(program.outputs.values())) + len(program.outputs)
    assert "noise() law=normal name=y/n" in text or "noise() name=y/n law=normal" in text
    assert "[batch, 4]" in text and "('grads', 'W') -> %" in text


# --- liveness -------------------------------------------------------------------------------------
def test_every_value_is_freed_after_its_last_use():
    engine = Interpreter(STEP.program.outputs)
    order = topological(STEP.program.outputs.values())
    last = {arg: expr for expr in order for arg in expr.args}
    freed = {}
    for instruction in engine.instructions:
        for arg in instruction.free:
            assert arg not in freed, "freed twice"
            freed[arg] = instruction.expr
    kept = set(engine.outputs.values())
    assert freed == {arg: expr for arg, expr in last.items() if arg not in kept}
    assert not kept & set(freed)


def test_memory_does_not_grow_with_the_length_of_a_chain():
    def peak(length):
        g = scg.Graph("chain")
        y = g.data("x", 100_000)
        for _ in range(length):
            y = np.tanh(y)
        engine = Interpreter({"y": np.sum(y)})
        (leaf,) = engine.leaves
        x = np.zeros(100_000)
        tracemalloc.start()
        engine.run({leaf: x}, {})
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    assert peak(60) < 1.2 * peak(6) < 4 * 800_000


def test_an_output_survives_further_use():
    g = scg.Graph("outputs")
    x = g.data("x", 2)
    y = np.exp(x)
    out = Program({"x": x, "y": y, "z": y + 1.0, "again": y}).run({"x": np.zeros(2)}, None, {})
    assert all(value.shape == (1, 2) for value in out.values())
    np.testing.assert_array_equal(out["z"][0] - out["y"][0], [1.0, 1.0])
    np.testing.assert_array_equal(out["again"], out["y"])


# --- runs, blocks and noise -----------------------------------------------------------------------
def assert_same(one, other, rtol):
    np.testing.assert_allclose(one.cost, other.cost, rtol=rtol)
    for name, value in one.grads.items():
        np.testing.assert_allclose(value, other.grads[name], rtol=rtol, atol=rtol)
        np.testing.assert_allclose(one.stderr[name], other.stderr[name], rtol=rtol, atol=rtol)


@pytest.mark.parametrize("limit", [1, 400, 5000])
def test_blocks_change_nothing_but_rounding(monkeypatch, limit):
    whole = STEP(PARAMS, seed=3, runs=37, data=DATA)
    sizes = {plate: 5 for plate in GRAPH.plates}
    assert len(list(STEP.program.blocks(37, sizes))) == 1
    monkeypatch.setattr(programs, "BLOCK_ELEMENTS", limit)
    blocks = list(STEP.program.blocks(37, sizes))
    assert len(blocks) > 1
    assert [run for block in blocks for run in block] == list(range(37))
    assert_same(STEP(PARAMS, seed=3, runs=37, data=DATA), whole, 1e-12)


def test_noise_of_a_run_depends_on_its_number_alone():
    sizes = {plate: 5 for plate in GRAPH.plates}
    program = STEP.program
    whole = program.draw_noise(3, range(10), sizes)
    part = program.draw_noise(3, range(4, 7), sizes)
    other = program.draw_noise(4, range(10), sizes)
    for name, array in whole.items():
        np.testing.assert_array_equal(array[4:7], part[name])
        assert not np.any(array == other[name])
    assert whole["h/u"].shape == (10, 5, 4) and whole["z/u"].shape == (10,)
    assert np.all((whole["h/u"] > 0) & (whole["h/u"] < 1)) and np.any(whole["y/n"] < 0)


def test_noise_given_is_noise_drawn():
    noise = STEP.noise(seed=3, runs=20, data=DATA)
    assert_same(
        STEP(PARAMS, noise=noise, data=DATA), STEP(PARAMS, seed=3, runs=20, data=DATA), 1e-13
    )
    # one run at a time, the mean over the runs
    single = [
        STEP(PARAMS, noise={name: a[i : i + 1] for name, a in noise.items()}, data=DATA)
        for i in range(20)
    ]
    out = STEP(PARAMS, noise=noise, data=DATA)
    assert out.runs == 20 and single[0].runs == 1
    for name, value in out.grads.items():
        rows = np.array([one.grads[name] for one in single])
        np.testing.assert_allclose(value, rows.mean(axis=0), rtol=1e-12)
        stderr = rows.std(axis=0, ddof=1) / np.sqrt(20)
        np.testing.assert_allclose(out.stderr[name], stderr, rtol=1e-10)
        assert np.all(np.isnan(single[0].stderr[name]))
        assert single[0].stderr[name].shape == value.shape
    np.testing.assert_allclose(out.cost, np.mean([one.cost for one in single]), rtol=1e-13)


def test_stderr_over_blocks_of_unequal_length(monkeypatch):
    """Means and squares are merged block by block, also where one block has one run."""
    noise = STEP.noise(seed=5, runs=7, data=DATA)
    expected = STEP(PARAMS, noise=noise, data=DATA)
    monkeypatch.setattr(Program, "blocks", lambda *_: [range(3), range(3, 4), range(4, 7)])
    out = STEP(PARAMS, seed=5, runs=7, data=DATA)
    assert out.runs == 7
    assert_same(out, expected, 1e-12)


def test_runs_without_noise():
    g = scg.Graph("deterministic")
    w = g.parameter("w", [1.0, 2.0])
    g.cost("loss", np.sum(w**3))
    out = scg.compile(g, backend="numpy")(g.init(seed=0), seed=0, runs=4)
    assert (out.cost, out.runs) == (9.0, 4)
    np.testing.assert_array_equal(out.grads["w"], [3.0, 12.0])
    np.testing.assert_array_equal(out.stderr["w"], [0.0, 0.0])


def test_outputs_that_depend_on_no_noise_are_repeated():
    g = scg.Graph("both")
    w = g.parameter("w", 2.0)
    g.cost("fixed", w**2)
    g.cost("random", g.sample("b", scg.Bernoulli(logits=0.3)) * 1.0)
    step = scg.compile(g, scg.ScoreFunction(), backend="numpy")
    out = step({"w": 2.0}, seed=0, runs=50)
    assert out.costs["fixed"] == 4.0 and 0.0 < out.costs["random"] < 1.0
    assert out.grads["w"] == 4.0 and out.stderr["w"] == 0.0


# --- single precision -----------------------------------------------------------------------------
def test_single_precision_all_the_way(monkeypatch):
    step = scg.compile(GRAPH, scg.ScoreFunction(), backend="numpy", dtype="float32")
    noise = step.noise(seed=1, runs=6, data=DATA)
    assert all(array.dtype == np.float32 for array in noise.values())
    seen = []
    engine = step.program.engine(programs.RUNS)
    for i, instruction in enumerate(engine.instructions):

        def watched(sizes, *xs, kernel=instruction.kernel, expr=instruction.expr):
            seen.append((expr, np.asarray(kernel(sizes, *xs))))
            return seen[-1][1]

        engine.instructions[i] = instruction._replace(kernel=watched)
    out = step(PARAMS, noise=noise, data=DATA)
    assert len(seen) == len(engine.instructions)
    dtypes = {"float": np.float32, "int": np.int64, "bool": np.bool_}
    for expr, value in seen:
        assert value.dtype == dtypes[expr.kind], expr
    assert all(value.dtype == np.float32 for value in out.grads.values())
    double = STEP(
        PARAMS, noise={name: array.astype(float) for name, array in noise.items()}, data=DATA
    )
    assert_same(out, double, 1e-4)


def test_integers_are_exact_in_single_precision():
    g = scg.Graph("integers")
    k = g.data("k", kind="int")
    out = finish({"k": k + 1, "x": k * 0.5}, "float32").run({"k": np.array(2**40)}, None, {})
    assert out["k"].dtype == np.int64 and out["k"][0] == 2**40 + 1
    assert out["x"].dtype == np.float32


# --- errors of a run ------------------------------------------------------------------------------
def test_infinities_do_not_warn():
    g = scg.Graph("infinite")
    x = g.parameter("x", 0.0)
    y = np.log(x)
    out = finish({"y": y, "dy": gradients(y, [x])[0]}).run({"x": np.array(0.0)}, None, {})
    assert out["y"][0] == -np.inf and out["dy"][0] == np.inf


def test_a_stochastic_node_does_not_run():
    z = scg.Graph("raw").sample("z", scg.Bernoulli(probs=0.5))
    with pytest.raises(TypeError, match="replaces a stochastic node by its sample"):
        Program({"z": z * 2.0}).run({}, None, {})
