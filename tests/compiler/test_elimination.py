"""Enumerated nodes of chains and trees are summed out one after the other."""

import numpy as np
import pytest

import scg
from scg.errors import EnumerationError, EstimatorError

rng = np.random.default_rng(0)


def softmax(a):
    e = np.exp(a - np.max(a, axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def chain(steps, classes, *, carry=False):
    """A Markov chain with a cost of each pair of neighbours, and one of all where asked."""
    g = scg.Graph("chain")
    first = g.parameter("first", np.random.default_rng(1).normal(size=classes))
    after = g.parameter("after", np.random.default_rng(2).normal(size=(classes, classes)))
    pay = np.random.default_rng(3).normal(size=(classes, classes))
    z = g.sample("z0", scg.OneHotCategorical(logits=first))
    total = 0.0
    for t in range(1, steps):
        y = g.sample(f"z{t}", scg.OneHotCategorical(logits=z @ after))
        g.cost(f"c{t}", np.sum(z @ pay * y) ** 2)
        total, z = 0.5 * total + np.sum(y[0]), y
    if carry:
        g.cost("all", total**2)
    return g, pay


def recursion(params, pay, steps):
    """The expected costs by forward marginals."""
    alpha, costs = softmax(params["first"]), []
    for _ in range(1, steps):
        joint = alpha[:, None] * softmax(params["after"])
        costs.append(np.sum(joint * pay**2))
        alpha = joint.sum(axis=0)
    return costs


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_a_chain_of_fifty_nodes(backend):
    g, pay = chain(50 if backend == "numpy" else 8, 8)
    steps = len(g.stochastic)
    params = g.init(seed=0)
    step = scg.compile(g, scg.Enumeration(), backend=backend)
    out = step(params, seed=0)
    expected = recursion(params, pay, steps)
    np.testing.assert_allclose([out.costs[f"c{t}"] for t in range(1, steps)], expected, rtol=1e-12)
    truth = scg.exact(g, params)
    assert truth.outcomes == 8**steps
    np.testing.assert_allclose(truth.cost, sum(expected), rtol=1e-12)
    for i in (0, 3):
        moved = {"first": params["first"] + 1e-30j * np.eye(8)[i], "after": params["after"]}
        slope = np.imag(sum(complex_recursion(moved, pay, steps))) / 1e-30
        np.testing.assert_allclose(out.grads["first"][i], slope, rtol=1e-10, atol=1e-14)
        np.testing.assert_allclose(truth.grads["first"][i], slope, rtol=1e-10, atol=1e-14)


def complex_recursion(params, pay, steps):
    first = np.exp(params["first"])
    alpha, costs = first / first.sum(), []
    for _ in range(1, steps):
        joint = alpha[:, None] * softmax(params["after"])
        costs.append(np.sum(joint * pay**2))
        alpha = joint.sum(axis=0)
    return costs


def test_the_work_grows_with_the_length_alone():
    def work(steps):
        step = scg.compile(chain(steps, 4)[0], scg.Enumeration(), backend="numpy")
        return len(step.program), step.explain()

    short, longer, longest = (work(n)[0] for n in (10, 20, 30))
    assert longest - longer == longer - short
    explained = work(10)[1]
    assert explained.paths == 16
    text = "summed out one after the other: z0, z1, z2, z3, z4, z5, z6, z7; the largest table has"
    assert text in str(explained)
    assert "has 16 entries" in str(explained)
    assert explained.to_dict()["elimination"] == explained.elimination


def tree(classes=3):
    """A root, two branches, a leaf of each, costs at the leaves and one that joins them."""
    g = scg.Graph("tree")
    a = g.parameter("a", np.random.default_rng(4).normal(size=(classes, classes)))
    w = np.random.default_rng(5).normal(size=(classes, classes))
    root = g.sample("root", scg.OneHotCategorical(logits=a[0]))
    left = g.sample("left", scg.OneHotCategorical(logits=root @ a))
    right = g.sample("right", scg.OneHotCategorical(logits=root @ (a * a)))
    leaf = g.sample("leaf", scg.OneHotCategorical(logits=left @ a.T))
    other = g.sample("other", scg.OneHotCategorical(logits=right @ np.sin(a)))
    g.cost("at leaf", np.exp(leaf @ w[0]))
    g.cost("at other", np.exp(other @ w[1]) * a[0, 0])
    g.cost("joint", np.tanh(leaf @ w @ other + a[1, 1]))
    g.cost("stopped", np.sum(scg.stop_gradient(leaf) @ w * right))
    return g


@pytest.mark.filterwarnings("ignore::scg.StopWarning")
@pytest.mark.parametrize("order", [1, 2])
def test_a_tree_is_what_brute_force_says(order):
    g = tree()
    params = g.init(seed=0)
    truth = scg.exact(g, params)
    out = scg.compile(g, scg.Enumeration(), backend="numpy", order=order)(params, seed=0)
    np.testing.assert_allclose(out.grads["a"], truth.grads["a"], atol=1e-12)
    for name, cost in truth.costs.items():
        np.testing.assert_allclose(out.costs[name], cost, rtol=1e-12)
    if order == 2:
        np.testing.assert_allclose(out.hessian["a"]["a"], truth.hessian["a"]["a"], atol=1e-11)


def mixed(below):
    """Enumerated nodes above a node with another estimator, and beside one, on a plate."""
    g, items = scg.Graph("mixed"), scg.Plate("items", length=2, reduce="mean")
    t = g.parameter("t", [0.4, -0.7, 0.9])
    a = g.sample("a", scg.Bernoulli(logits=t[0]), plates=items)
    b = g.sample("b", scg.Bernoulli(logits=t[1] * a + 0.2))
    c = g.sample("c", below(t[2] * b - 0.3))
    d = g.sample("d", scg.Bernoulli(logits=c * t[0]))
    g.cost("first", np.tanh(c * t[1] + 0.3) + d)
    g.cost("second", (d - 0.3 * b) ** 3)
    return g


@pytest.mark.parametrize(
    "estimator", [scg.ScoreFunction(), scg.LeaveOneOut(2), scg.RAM(), scg.DisARM(), scg.REBAR()]
)
def test_other_estimators_between_summed_nodes(estimator):
    g = mixed(lambda logits: scg.Bernoulli(logits=logits))
    params = g.init(seed=0)
    chosen = {"a": scg.Enumeration(), "b": scg.Enumeration(), "c": estimator}
    step = scg.compile(g, {**chosen, "d": scg.Enumeration()}, backend="numpy")
    found = scg.check(step, params, seed=0, state=step.init(seed=0), runs=4000)
    assert found.unbiased
    if not isinstance(estimator, scg.REBAR):
        mean = scg.moments(step, params, variance=False).mean["t"]
        np.testing.assert_allclose(mean, scg.exact(g, params).grads["t"], atol=1e-10)


def test_a_cost_of_all_nodes_is_refused_by_name():
    g, _ = chain(30, 3, carry=True)
    message = r"cost 'all' depends on the joint values of z1, z2, z3, \.\.\., z29"
    with pytest.raises(EstimatorError, match=message):
        scg.compile(g, scg.Enumeration())
    with pytest.raises(EnumerationError, match=message):
        scg.exact(g, g.init(seed=0))


def test_a_wide_table_is_refused_by_name():
    """A node with six parents of eight values each, none of which the cost depends on."""
    g = scg.Graph("wide")
    t = g.parameter("t", np.zeros(8))
    above = [g.sample(f"a{i}", scg.OneHotCategorical(logits=t)) for i in range(6)]
    y = g.sample("y", scg.Bernoulli(logits=sum(np.prod(a + 0.5) for a in above)))
    g.cost("c", y)
    message = r"node 'a0' is summed out for cost 'c' in a table of 524288 entries.*a0, a1, .*a5, y"
    with pytest.raises(EstimatorError, match=message):
        scg.compile(g, scg.Enumeration())


def test_a_hidden_markov_chain_has_a_small_table():
    """Emissions are summed out, too; the cost of the last one meets all states before it."""
    g = scg.Graph("hidden")
    t = g.parameter("t", 0.3)
    z = g.sample("z0", scg.Bernoulli(logits=t))
    for i in range(1, 25):
        z = g.sample(f"z{i}", scg.Bernoulli(logits=2.0 * z - t))
        x = g.sample(f"x{i}", scg.Bernoulli(logits=t * z + 0.1))
        g.cost(f"c{i}", (x - 0.3) ** 2)
    p, total = 1 / (1 + np.exp(-0.3)), 0.0
    for _ in range(1, 25):
        p = p / (1 + np.exp(-1.7)) + (1 - p) / (1 + np.exp(0.3))
        q = p / (1 + np.exp(-0.4)) + (1 - p) / (1 + np.exp(-0.1))
        total += q * 0.49 + (1 - q) * 0.09
    np.testing.assert_allclose(scg.exact(g, g.init(seed=0)).cost, total, rtol=1e-12)


def common_cause(steps, classes):
    """A root with many children, and a chain that joins them one after the other."""
    g = scg.Graph("cause")
    w = np.random.default_rng(6).normal(size=(3, classes, classes))
    a = g.parameter("a", np.random.default_rng(7).normal(size=classes))
    root = g.sample("root", scg.OneHotCategorical(logits=a))
    children = [g.sample(f"x{i}", scg.OneHotCategorical(logits=root @ w[0])) for i in range(steps)]
    state = g.sample("s0", scg.OneHotCategorical(logits=children[0] @ w[1]))
    for i in range(1, steps):
        joined = state @ w[1] * (children[i] @ w[2])
        state = g.sample(f"s{i}", scg.OneHotCategorical(logits=joined + a))
    g.cost("loss", state @ w[2][0])
    return g, w


def test_min_fill_sums_a_common_cause_out_last():
    """In topological order the table of the root would hold all its children, 3^13 entries."""
    g, w = common_cause(12, 3)
    params = g.init(seed=0)
    step = scg.compile(g, scg.Enumeration(), backend="numpy")
    assert "the largest table has 81 entries" in str(step.explain())
    given = np.eye(3)  # the state given the root, root first
    child, total = softmax(w[0]), 0.0
    given = child @ softmax(w[1])
    for _ in range(1, 12):
        logits = w[1][:, None] * w[2][None] + params["a"]  # of state and child
        given = np.einsum("rs,rc,sct->rt", given, child, softmax(logits))
    total = softmax(params["a"]) @ given @ w[2][0]
    assert step(params, seed=0).cost == pytest.approx(total, rel=1e-12)
    assert scg.exact(g, params).cost == pytest.approx(total, rel=1e-12)
    small, _ = common_cause(4, 2)
    out = scg.compile(small, scg.Enumeration(), backend="numpy")(small.init(seed=0), seed=0)
    np.testing.assert_allclose(
        out.grads["a"], scg.exact(small, small.init(seed=0)).grads["a"], atol=1e-12
    )


def test_a_grid_has_tables_of_its_shorter_side():
    """Six rows of two, declared column by column: a node, the one below and the one beside."""
    g = scg.Graph("grid")
    a = g.parameter("a", 0.4)
    nodes = {}
    for j in range(2):
        for i in range(6):
            parents = [nodes[p] for p in ((i - 1, j), (i, j - 1)) if p in nodes]
            logit = sum((k + 1.0) * x for k, x in enumerate(parents)) - a
            nodes[i, j] = g.sample(f"z{i}{j}", scg.Bernoulli(logits=logit))
    g.cost("loss", nodes[5, 1] * a)
    step = scg.compile(g, scg.Enumeration(), backend="numpy")
    params = g.init(seed=0)
    np.testing.assert_allclose(
        step(params, seed=0).grads["a"], scg.exact(g, params).grads["a"], atol=1e-12
    )
    assert "the largest table has 8 entries" in str(step.explain())
