"""Noise: no two leaves of a program share a name, and a leaf that is alone keeps its own."""

import numpy as np
import pytest

import scg
from scg.engine.program import Program
from scg.errors import CompilerError
from scg.estimators.protocol import control_variate
from scg.ir.op import NOISE, intern

from ..estimators import relaxed_models as models
from ..estimators.graphs import params_of

BINARY = {
    "disarm": scg.DisARM,
    "arm": scg.ARM,
    "arms": lambda: scg.ARMS(samples=3),
    "stratified": lambda: scg.Stratified(samples=2),
    "set": lambda: scg.UnorderedSet(samples=2),
    "sum": lambda: scg.SumAndSample(samples=2),
}
CLASSES = {
    "carms": lambda: scg.CARMS(samples=3),
    "arsm": scg.ARSM,
    "stick": scg.CategoricalDisARM,
    "tree": lambda: scg.CategoricalDisARM("tree"),
    "stratified": lambda: scg.Stratified(samples=2),
    "set": lambda: scg.UnorderedSet(samples=2),
    "sum": lambda: scg.SumAndSample(samples=2),
}
EVERY = [("b", name) for name in BINARY] + [("c", name) for name in CLASSES]
RELAXED = {"rebar": scg.REBAR, "relax": lambda: scg.RELAX(hidden=(3,), coupled=True)}
RUNS, THRESHOLD = 4000, 7.0  # 2 · 13 gradients of 4 components: below 1e-8, though skewed


def above_classes():
    """One unit above a class of three."""
    g = scg.Graph("above_classes")
    h = g.sample("h", scg.Bernoulli(logits=g.parameter("a", 0.4)))
    logits = (g.parameter("w", 1.1) * h + g.parameter("c", -0.3)) * np.array([1.0, -0.5, 0.3])
    k = g.sample("k", scg.OneHotCategorical(logits=logits)) @ np.array([1.0, -0.4, 0.5])
    g.cost("end", np.exp(0.9 * k * h + 0.3 * k) + (k - 0.2) ** 3)
    g.cost("middle", (h - 0.45) ** 3 * g.parameter("s", 0.7))
    return g


def above(values, name, relaxed, backend="numpy"):
    g = models.narrow() if values == "b" else above_classes()
    child = (BINARY if values == "b" else CLASSES)[name]()
    return scg.compile(g, {"h": RELAXED[relaxed](), "k": child}, backend=backend)


# --- below a relaxed node -------------------------------------------------------------------------
@pytest.mark.statistical
@pytest.mark.parametrize("relaxed", RELAXED)
@pytest.mark.parametrize("values, name", EVERY)
def test_the_child_of_a_relaxed_node_may_couple_its_draws_or_draw_sets(values, name, relaxed, seed):
    """Its relaxation has leaves of its own: on the sample plate, or of one draw."""
    step = above(values, name, relaxed)
    params = params_of(step.graph)
    out = step(params, seed=(seed, 5), runs=RUNS, state=step.init(seed=0))
    for key, truth in scg.exact(step.graph, params).grads.items():
        assert abs(out.grads[key] - truth) < THRESHOLD * out.stderr[key] + 1e-9, key
        assert 9.4 * out.stderr[key] < 0.5, "a bias of 0.5 would be found 99 times in 100"
    assert {len(array) for array in step.noise(seed=5, runs=3).values()} == {3}


@pytest.mark.parametrize("values, name", [("b", "disarm"), ("b", "set"), ("c", "tree")])
def test_backends_agree_on_the_noise_of_such_a_child(values, name):
    slow, fast = (above(values, name, "rebar", backend) for backend in ("numpy", "numba"))
    params, noise = params_of(slow.graph), slow.noise(seed=5, runs=3)
    seeded = slow(params, seed=5, runs=3).grads
    for other in (
        slow(params, noise=noise),
        fast(params, noise=noise),
        fast(params, seed=5, runs=3),
    ):
        for key, value in seeded.items():
            np.testing.assert_allclose(other.grads[key], value, atol=1e-12, err_msg=key)


@pytest.mark.parametrize("name", ["set", "sum"])
def test_the_mean_is_exact_above_sets(name):
    step = above("b", name, "rebar")
    params = params_of(step.graph)
    m = scg.moments(step, params)
    for key, truth in scg.exact(step.graph, params).grads.items():
        assert m.mean[key] == pytest.approx(truth, abs=1e-10), key


# --- names ----------------------------------------------------------------------------------------
def test_the_second_leaf_of_a_tag_is_named_with_its_plates_and_shape():
    def names(name):
        return sorted(above("b", name, "rebar").program.noise)

    assert names("disarm") == ["h/u", "k/u", "k/u[samples of k]"]
    assert names("set") == ["h/u", "k/u", "k/u2", "k/u[]"]
    alone = scg.compile(models.narrow(), {"h": scg.REBAR(), "k": scg.LeaveOneOut(samples=2)})
    assert sorted(alone.program.noise) == ["h/u", "k/u"]


def test_a_part_of_a_law_is_not_taken_for_a_node_in_a_scope():
    """Component 0 of the mixture m and the node m/0 would draw the same normal."""
    g = scg.Graph("scope")
    parts = [scg.Normal(0.0, 1.0), scg.Normal(0.0, 1.0)]
    m = g.sample("m", scg.Mixture(parts, logits=np.zeros(2)))
    with g.scope("m"):
        zero = g.sample("0", scg.Normal(0.0, 1.0))
        choice = g.sample("choice", scg.Bernoulli(probs=0.5))
    g.cost("c", g.parameter("t", 1.0) * m * (zero + choice))
    step = scg.compile(g, scg.ScoreFunction(), backend="numpy")
    assert sorted(step.program.noise) == ["m#0/n", "m#choice/u", "m/0/n", "m/1/n", "m/choice/u"]
    drawn = g.simulate({"t": 1.0}, nodes=[m, zero], seed=3, runs=4000)
    assert abs(np.mean(drawn["m"] * drawn["m/0"])) < 6.0 / np.sqrt(4000)
    out = step({"t": 1.0}, seed=3, runs=1000)
    assert abs(out.grads["t"]) < 6.0 * out.stderr["t"]


def test_a_state_is_not_taken_for_a_direction_of_the_hessian():
    g = scg.Graph("direction")
    eta = g.parameter("eta", 0.4)
    g.cost("c", (g.sample("direction", scg.Bernoulli(logits=eta)) - 0.3) ** 3)
    step = scg.compile(g, scg.REBAR(), order=2)
    m, truth = scg.moments(step, {"eta": 0.4}), scg.exact(g, {"eta": 0.4})
    assert m.hessian["eta"]["eta"] == pytest.approx(truth.hessian["eta"]["eta"], abs=1e-9)


class TwoShapes(scg.Estimator):
    """A state and an own parameter of one name."""

    def term(self, dist, draw, downstream, memory):
        kept = memory.state("w", 0.0) + memory.parameter("w", (2,), lambda rng, shape: 0.0)
        return control_variate(draw, np.sum(kept))


def test_a_memory_keeps_one_array_of_a_name():
    g = scg.Graph("twice")
    g.cost("c", g.sample("b", scg.Bernoulli(logits=g.parameter("t", 0.4))))
    with pytest.raises(
        CompilerError, match=r"node 'b' keeps 'w' of shape \(\) and of shape \(2,\)"
    ):
        scg.compile(g, TwoShapes())


def mine(term, **traits):
    """A class of estimators with this term."""
    return type("Mine", (scg.Estimator,), {"term": lambda self, *views: term(*views), **traits})


def coin():
    g = scg.Graph("coin")
    g.cost("c", g.sample("b", scg.Bernoulli(logits=g.parameter("t", 0.4))) ** 2)
    return g


def zero(rng, shape):
    return np.zeros(shape)


@pytest.mark.parametrize(
    ("use", "message"),
    [
        (
            lambda m, x: m.parameter("w", (), zero, learn="cost"),
            "learns 'w' on 'cost'; it may .* 'l",
        ),
        (lambda m, x: m.update("w", 1.0), "updates 'w', but declares no such state"),
        (
            lambda m, x: (m.state("w", 0.0), m.update("w", x + np.zeros(2))),
            r"of shape \(\) with node",
        ),
    ],
)
def test_wrong_uses_of_a_memory_are_errors(use, message):
    own = mine(lambda dist, draw, downstream, memory: use(memory, draw.value) and None)
    with pytest.raises(CompilerError, match=message):
        scg.compile(coin(), own())


@pytest.mark.parametrize(
    ("trait", "value", "words"),
    [
        ("credit", "values", "one of 'score', .*"),
        ("credit", None, "one of 'score', .*"),
        ("unbiased", "no", "True or False"),
        ("requires", "discrete", "a tuple of names"),
        ("cites", None, "a tuple of names"),
        ("formula", 3, "a string"),
        ("symbols", None, "a mapping"),
        ("joint", "yes", 'True, False or "layer"'),
        ("samples", 0, "a positive integer"),
        ("samples", True, "a positive integer"),
        ("orders", "x", "a number, at least 0"),
    ],
)
def test_a_class_with_a_wrong_trait_is_an_error(trait, value, words):
    message = f"^Mine: {trait} is {words}, got {value!r}$"
    with pytest.raises(scg.EstimatorError, match=message):
        mine(None, **{trait: value})


def test_a_replay_may_be_at_a_number():
    def term(dist, draw, downstream, memory):
        return control_variate(draw, downstream.at(0.0, below="same").cost)

    m = scg.moments(scg.compile(coin(), mine(term)()), {"t": 0.4})
    assert m.mean["t"] == pytest.approx(scg.exact(coin(), {"t": 0.4}).grads["t"], rel=1e-12)


def test_two_leaves_of_one_name_are_a_compiler_error():
    g = scg.Graph("twice")
    one, two = (
        intern(g, NOISE, (), {"name": "b/u", "law": "uniform"}, (shape, (), "float"))
        for shape in ((), (2,))
    )
    assert list(Program({"one": one}).noise) == ["b/u"]
    with pytest.raises(CompilerError, match="two leaves have one name: node 'b/u'"):
        Program({"both": one + two}).noise  # noqa: B018
