"""Bernoulli and the categorical laws against sums over their support, in every detail."""

import itertools

import mpmath as mp
import numpy as np
import pytest
import scipy.special as sp
from scipy import stats

import scg
from scg.compiler.differentiate import gradients
from scg.run.finish import finish
from scg.testing import check_gradient

from . import law

LOGITS = np.array([0.4, -1.3])
CLASSES = np.array([[0.2, -0.7, 1.1], [0.0, 0.5, -2.0]])
FAMILIES = {
    "Bernoulli logits": (scg.Bernoulli, {"logits": LOGITS}),
    "Bernoulli probs": (scg.Bernoulli, {"probs": sp.expit(LOGITS)}),
    "Bernoulli scalar": (scg.Bernoulli, {"logits": np.array(-0.6)}),
    "Categorical logits": (scg.Categorical, {"logits": CLASSES}),
    "Categorical probs": (scg.Categorical, {"probs": sp.softmax(CLASSES, axis=-1)}),
    "Categorical scalar": (scg.Categorical, {"logits": CLASSES[0]}),
    "OneHotCategorical logits": (scg.OneHotCategorical, {"logits": CLASSES}),
    "OneHotCategorical probs": (scg.OneHotCategorical, {"probs": sp.softmax(CLASSES, axis=-1)}),
    "Categorical of one class": (scg.Categorical, {"logits": np.array([0.3])}),
}


def table(family, parameters):
    """Every value of the event and its probability, in plain NumPy."""
    ((name, value),) = parameters.items()
    if family is scg.Bernoulli:
        p = sp.expit(value) if name == "logits" else value
        atoms = np.array(list(itertools.product((0.0, 1.0), repeat=p.size))).reshape(-1, *p.shape)
        each = np.where(atoms == 1, p, 1 - p)
        return atoms, each.reshape(len(atoms), -1).prod(axis=1)
    p = sp.softmax(value, axis=-1) if name == "logits" else value
    rows = p.reshape(-1, p.shape[-1])
    index = np.array(list(itertools.product(range(p.shape[-1]), repeat=len(rows))))
    each = rows[np.arange(len(rows)), index].prod(axis=1)
    index = index.reshape(-1, *p.shape[:-1])
    return (index if family is scg.Categorical else np.eye(p.shape[-1])[index]), each


def other(parameters):
    """Other parameters of the same kind."""
    ((name, value),) = parameters.items()
    moved = value[..., ::-1] + 0.3 if value.ndim else value + 0.7
    if name == "logits":
        return {name: moved}
    return {name: 0.9 * moved - 0.2 if np.all(moved < 1) and value.ndim == 1 else value[..., ::-1]}


@pytest.fixture(params=FAMILIES)
def row(request):
    family, parameters = FAMILIES[request.param]
    return family, parameters, *table(family, parameters)


# --- values ---------------------------------------------------------------------------------------
def test_support_is_complete(row):
    family, parameters, atoms, _ = row
    d = family(**parameters)
    support = d.enumerate_support()
    assert d.cardinality() == len(support) == len(atoms)
    assert support.shape == (len(atoms), *d.shape) and support.dtype == atoms.dtype
    assert {x.tobytes() for x in support} == {x.tobytes() for x in atoms}
    assert d.support.contains(support).all()


def test_log_prob(row):
    """Values and sums against the table, on arrays and on nodes."""
    family, parameters, atoms, p = row
    d = family(**parameters)
    found = np.array([d.log_prob(x) for x in atoms])
    np.testing.assert_allclose(found, np.log(p), rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(np.exp(found).sum(), 1.0, rtol=1e-14)
    for x in atoms[:3]:
        each = d.log_prob(x, elementwise=True)
        batch = d.shape[:-1] if family is scg.OneHotCategorical else d.shape
        assert each.shape == batch and np.sum(each) == pytest.approx(d.log_prob(x), abs=1e-15)
        out = law.log_prob_and_gradients(family, parameters, x)
        np.testing.assert_allclose(out["value"], each, rtol=1e-14, atol=1e-15)


def test_gradients_of_log_prob(row):
    family, parameters, atoms, _ = row
    ((name, value),) = parameters.items()

    def on_values(x):
        # as a function of what is divided by its sum
        if name == "probs" and family is not scg.Bernoulli:
            hot = x if family is scg.OneHotCategorical else np.eye(3)[x]
            return lambda v: np.sum(hot * np.log(v / np.sum(v, axis=-1, keepdims=True)))
        return lambda v: family(**{name: v}).log_prob(x)

    for x in atoms:
        check_gradient(on_values(x), value, rtol=1e-7)
        if name == "probs":
            out = law.log_prob_and_gradients(family, parameters, x)
            point = value.copy()
            expected = law.difference(on_values(x), point, 1e-3)
            np.testing.assert_allclose(out["probs"], expected, rtol=1e-8, atol=1e-9)
    if family.extends_to_mean:
        # linear in x: the derivative is the change from 0 to 1, everywhere
        check_gradient(lambda x: family(**parameters).log_prob(x), 0.3 + 0.2 * atoms[0])


def test_statistics_are_sums_over_the_support(row):
    family, parameters, atoms, p = row
    d = family(**parameters)
    assert d.entropy() == pytest.approx(-np.sum(p * np.log(p)), rel=1e-12, abs=1e-15)
    best = atoms[np.argmax(p)]
    np.testing.assert_array_equal(d.mode(), best)
    if family.supports("mean"):
        mean = np.tensordot(p, atoms, axes=1)
        np.testing.assert_allclose(d.mean(), mean, rtol=1e-13)
        np.testing.assert_allclose(
            d.variance(), np.tensordot(p, (atoms - mean) ** 2, axes=1), rtol=1e-12
        )
    else:
        with pytest.raises(
            scg.UnsupportedError, match=r"^Categorical has no mean: classes are names"
        ):
            d.mean()
    q = family(**other(parameters))
    p_of_q = np.exp([q.log_prob(x) for x in atoms])
    kl = np.sum(p * np.log(p / p_of_q))
    assert d.kl(q) == pytest.approx(kl, rel=1e-11, abs=1e-14)
    assert d.kl(d) == pytest.approx(0.0, abs=1e-15)
    assert np.sum(d.kl(q, elementwise=True)) == pytest.approx(kl, rel=1e-11, abs=1e-14)
    assert np.shape(d.entropy(elementwise=True)) == np.shape(d.log_prob(best, elementwise=True))


def test_nodes_and_arrays_agree(row):
    family, parameters, atoms, _ = row
    arrays = family(**parameters)
    graph, nodes, leaves = law.as_nodes(family, parameters)
    outputs = {
        "entropy": nodes.entropy(),
        "mode": nodes.mode(),
        "probs": nodes.probs,
    }
    expected = {"entropy": arrays.entropy(), "mode": arrays.mode(), "probs": arrays.probs}
    if "logits" in parameters:
        outputs["kl"] = nodes.kl(family(logits=0.5 * leaves["logits"] + 0.1))
        expected["kl"] = arrays.kl(family(logits=0.5 * parameters["logits"] + 0.1))
    if family.supports("mean"):
        outputs |= {"mean": nodes.mean(), "variance": nodes.variance()}
        expected |= {"mean": arrays.mean(), "variance": arrays.variance()}
    program = finish(outputs)
    out = program.run({n: np.asarray(v) for n, v in parameters.items()}, None, {})
    for key, value in out.items():
        np.testing.assert_allclose(value[0], expected[key], rtol=1e-13, atol=1e-15, err_msg=key)
    assert nodes.shape == arrays.shape == atoms.shape[1:]
    assert nodes.cardinality() == arrays.cardinality() and graph.parameters


def test_rebuild_round_trip(row):
    family, parameters, atoms, _ = row
    d = family(**parameters)
    again = family.rebuild(tuple(d.parameters.values()), d.static)
    assert type(again) is family and again.static == d.static and again.shape == d.shape
    assert again.log_prob(atoms[-1]) == d.log_prob(atoms[-1])
    assert repr(again) == repr(d) and repr(d).startswith(family.__name__)


# --- extremes -------------------------------------------------------------------------------------
@pytest.mark.parametrize("logit", [-800.0, -40.0, 1e-9, 40.0, 800.0, np.inf, -np.inf])
def test_bernoulli_at_extreme_logits(logit):
    if np.isinf(logit):
        with pytest.raises(scg.DeclarationError, match=r"^Bernoulli: logits must be real, got"):
            scg.Bernoulli(logits=logit)
        return
    d = scg.Bernoulli(logits=logit)
    with mp.workdps(800):
        p = 1 / (1 + mp.exp(-mp.mpf(logit)))
        logs = {1.0: mp.log(p), 0.0: mp.log(1 - p)}
        entropy = -p * logs[1.0] - (1 - p) * logs[0.0]
        variance = p * (1 - p)
        slopes = {1.0: 1 - p, 0.0: -p}
    np.testing.assert_allclose(d.entropy(), float(entropy), rtol=1e-13)
    np.testing.assert_allclose(d.variance(), float(variance), rtol=1e-13)
    for x in (0.0, 1.0):
        out = law.log_prob_and_gradients(scg.Bernoulli, {"logits": logit}, x)
        # the value is a difference of terms of size |logit|
        np.testing.assert_allclose(
            out["value"], float(logs[x]), rtol=1e-15, atol=np.spacing(abs(logit))
        )
        np.testing.assert_allclose(
            out["logits"], float(slopes[x]), rtol=1e-15, atol=2e-16 if logit > 0 else 0
        )


@pytest.mark.parametrize("family", [scg.Categorical, scg.OneHotCategorical])
def test_categorical_at_extreme_logits(family):
    """Masked logits, -inf, come from data: a parameter must start finite."""
    logits = np.array([800.0, -800.0, 799.0, -np.inf])
    weights = np.array([1 / (1 + np.exp(-1.0)), 0.0, 1 / (1 + np.e), 0.0])
    expected = np.array([-np.log1p(np.exp(-1.0)), 0, -np.log1p(np.e), 0])
    expected[1] = -1600.0 + expected[0]
    for k in range(3):
        x = k if family is scg.Categorical else np.eye(4)[k]
        g = scg.Graph("masked")
        a = g.data("logits", 4)
        value = family(logits=a).log_prob(x)
        program = finish({"value": value, "slope": gradients(value, [a])[0]})
        out = program.run({"logits": logits}, None, {})
        np.testing.assert_allclose(out["value"][0], expected[k], atol=2e-13)
        np.testing.assert_allclose(out["slope"][0], np.eye(4)[k] - weights, atol=2e-13)
    d = family(logits=logits)
    x = 3 if family is scg.Categorical else np.eye(4)[3]
    assert d.log_prob(x) == -np.inf
    p = sp.expit(1.0)
    np.testing.assert_allclose(d.entropy(), stats.bernoulli(p).entropy(), rtol=1e-12)
    assert d.kl(d) == 0.0


@pytest.mark.parametrize("family", [scg.Categorical, scg.OneHotCategorical])
def test_impossible_classes_do_not_poison(family):
    """A class of probability 0 that is not drawn sends no NaN into the others."""
    for k in (0, 1):
        x = k if family is scg.Categorical else np.eye(3)[k]
        out = law.log_prob_and_gradients(family, {"probs": np.array([0.3, 0.7, 0.0])}, x)
        np.testing.assert_allclose(out["value"], np.log([0.3, 0.7][k]))
        np.testing.assert_allclose(out["probs"], np.eye(3)[k] / [0.3, 0.7, 1.0] - 1.0)
    d = family(probs=[0.3, 0.7, 0.0])
    q = family(probs=[0.5, 0.5, 0.0])
    np.testing.assert_allclose(d.entropy(), stats.bernoulli(0.3).entropy())
    np.testing.assert_allclose(d.kl(q), 0.3 * np.log(0.6) + 0.7 * np.log(1.4))
    assert q.kl(family(probs=[0.0, 0.5, 0.5])) == np.inf


@pytest.mark.parametrize("family", [scg.Categorical, scg.OneHotCategorical])
def test_every_baseline_is_free_for_probabilities_that_are_a_parameter(family):
    """The gradient is that of probs over their sum, along the simplex; baselines do not move it."""
    p, f = np.array([0.2, 0.5, 0.3]), np.array([1.0, 4.0, 0.25])
    g = scg.Graph("free")
    x = g.sample("x", family(probs=g.parameter("p", p)))
    g.cost("loss", f @ (x if family is scg.OneHotCategorical else scg.one_hot(x, 3)))
    expected = f - p @ f
    np.testing.assert_allclose(scg.exact(g, {"p": p}).grads["p"], expected)
    for baseline in (None, scg.baselines.Constant(3.0)):
        step = scg.compile(g, scg.ScoreFunction(baseline))
        np.testing.assert_allclose(scg.moments(step, {"p": p}).mean["p"], expected)


@pytest.mark.parametrize("p", [0.0, 1.0])
def test_bernoulli_that_is_certain(p):
    d = scg.Bernoulli(probs=p)
    assert d.log_prob(p) == 0.0 and d.entropy() == 0.0 and d.variance() == 0.0
    assert d.mode() == p and d.kl(d) == 0.0
    out = law.log_prob_and_gradients(scg.Bernoulli, {"probs": p}, p)
    assert out["probs"] == (1.0 if p else -1.0)
    assert np.all(law.draws(d, seed=0, runs=1000) == p)


def test_what_is_no_class_is_impossible():
    d = scg.Categorical(logits=np.zeros(3))
    np.testing.assert_array_equal(
        [d.log_prob(k) for k in (-1, 0, 2, 3)], [-np.inf, -np.log(3), -np.log(3), -np.inf]
    )
    out = law.log_prob_and_gradients(scg.Categorical, {"logits": np.zeros(3)}, 3)
    assert out["value"] == -np.inf and np.all(out["logits"] == 0.0)


def test_the_first_of_equals_is_the_mode():
    for p in ([0.4, 0.4, 0.2], [0.2, 0.4, 0.4], [1 / 3] * 3):
        assert scg.Categorical(probs=p).mode() == np.argmax(p)
    assert scg.Bernoulli(probs=0.5).mode() == 0.0


def test_mean_and_variance_have_derivatives():
    check_gradient(lambda a: scg.Bernoulli(logits=a).mean(), LOGITS)
    check_gradient(lambda a: scg.Bernoulli(logits=a).entropy(), LOGITS)
    check_gradient(lambda a: scg.OneHotCategorical(logits=a).variance(), CLASSES)
    check_gradient(lambda a: scg.Categorical(logits=a).entropy(), CLASSES)
    check_gradient(
        lambda a, b: scg.Categorical(logits=a).kl(scg.Categorical(logits=b)), CLASSES, -CLASSES
    )
    check_gradient(
        lambda a, b: scg.Bernoulli(logits=a).kl(scg.Bernoulli(logits=b)), LOGITS, -LOGITS
    )
    check_gradient(lambda p: scg.Bernoulli(probs=p).entropy(), sp.expit(LOGITS))


# --- draws ----------------------------------------------------------------------------------------
@pytest.mark.statistical
@pytest.mark.parametrize("name", [name for name in FAMILIES if "one class" not in name])
def test_draws_follow_the_joint_table(name, seed):
    family, parameters = FAMILIES[name]
    atoms, p = table(family, parameters)
    runs = 20_000
    x = law.draws(family(**parameters), seed, runs=runs)
    counts = np.array([np.sum(np.all((x == a).reshape(runs, -1), axis=1)) for a in atoms])
    assert counts.sum() == runs
    law.check_counts(counts, p * runs)


@pytest.mark.statistical
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_draws_on_plates_follow_their_own_parameters(dtype, seed):
    """Each element its own law, and independent: pairs of elements by the product table."""
    g = scg.Graph("plates")
    plate = scg.Plate("p")
    logits = g.data("logits", 3, plates=plate)
    z = g.sample("z", scg.Categorical(logits=logits))
    g.cost("loss", g.parameter("w", 1.0) * 0.1 * z)
    step = scg.compile(g, scg.ScoreFunction(), dtype=dtype)
    data = {"logits": CLASSES}
    runs = 20_000
    noise = step.noise(seed=seed, runs=runs, data=data)["z/u"]
    draw = finish({"z": step.surrogate.first.draws[z].value}, dtype)
    x = draw.run({"logits": CLASSES.astype(dtype)}, {"z/u": noise}, {plate: 2})["z"]
    p = sp.softmax(CLASSES, axis=-1)
    counts = np.array(
        [[np.sum((x[:, 0] == i) & (x[:, 1] == j)) for j in range(3)] for i in range(3)]
    )
    law.check_counts(counts.ravel(), runs * np.outer(*p).ravel())


def test_draws_are_the_search_on_the_cdf():
    noise = law.Recorded({"u": np.array([[0.1], [0.55], [0.999]])})
    d = scg.Categorical(probs=np.tile([0.2, 0.3, 0.5], (3, 1)))
    np.testing.assert_array_equal(d.sample(noise), [0, 2, 2])
    one_hot = scg.OneHotCategorical(probs=np.tile([0.2, 0.3, 0.5], (3, 1)))
    np.testing.assert_array_equal(one_hot.sample(noise), np.eye(3)[[0, 2, 2]])
    edges = law.Recorded({"u": np.array([0.2])})
    assert scg.Categorical(probs=[0.2, 0.3, 0.5]).sample(edges) == 0
    below = law.Recorded({"u": np.array([0.3, 0.7])})
    np.testing.assert_array_equal(scg.Bernoulli(probs=[0.5, 0.5]).sample(below), [1.0, 0.0])


# --- errors ---------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: scg.Bernoulli(), "^Bernoulli: give exactly one of logits= or probs=, got none$"),
        (
            lambda: scg.Bernoulli(logits=0.3, probs=0.3),
            "^Bernoulli: give exactly one of logits= or probs=, got logits, probs$",
        ),
        (lambda: scg.Categorical(logits=0.3), r"^Categorical: logits must be a vector .* shape"),
        (
            lambda: scg.OneHotCategorical(probs=[0.3, 0.3]),
            "^OneHotCategorical: probs must be a vector of non-negative numbers that sum to one",
        ),
        (lambda: scg.Bernoulli(probs=1.2), "^Bernoulli: probs must be between 0 and 1, got 1.2$"),
        (lambda: scg.Bernoulli(logits=[0, np.nan]), "^Bernoulli: logits must be real, got nan"),
    ],
)
def test_declarations_are_checked(make, message):
    with pytest.raises(scg.DeclarationError, match=message):
        make()


def test_divergence_between_families():
    with pytest.raises(
        scg.UnsupportedError, match=r"^kl\(Bernoulli, Normal\) has no closed form here; write it as"
    ):
        scg.Bernoulli(logits=0.3).kl(scg.Normal(0.0, 1.0))


def test_the_gradient_of_a_node_drawn_from_probs():
    """The same gradient by logits and by probs = sigmoid(logits)."""
    g = scg.Graph("two")
    a = g.parameter("a", LOGITS)
    x = g.data("x", 2)
    by_logits = scg.Bernoulli(logits=a).log_prob(x)
    by_probs = scg.Bernoulli(probs=scg.sigmoid(a)).log_prob(x)
    outputs = {i: gradients(y, [a])[0] for i, y in enumerate((by_logits, by_probs))}
    out = finish(outputs).run({"a": LOGITS, "x": np.array([1.0, 0.0])}, None, {})
    np.testing.assert_allclose(out[0], out[1], rtol=1e-13)


@pytest.mark.parametrize(
    "dist",
    [
        scg.Bernoulli(logits=np.zeros(0)),
        scg.Binomial(3, logits=np.zeros(0)),
        scg.Categorical(logits=np.zeros((0, 3))),
        scg.OneHotCategorical(logits=np.zeros((0, 3))),
        scg.OrderedLogistic(np.zeros(0), [0.0, 1.0]),
    ],
    ids=lambda dist: type(dist).__name__,
)
def test_the_support_of_no_element_is_one_empty_value(dist):
    assert dist.cardinality() == 1
    assert dist.enumerate_support().shape == (1, *dist.shape)
