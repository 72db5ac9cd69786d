"""Declaring a graph: names, scopes, plates, parameters, costs, and errors that teach."""

import re

import networkx as nx
import numpy as np
import pytest

import scg
from scg.ir.walk import topological


@pytest.fixture
def g():
    return scg.Graph("toy")


def toy():
    g = scg.Graph("toy")
    batch = scg.Plate("batch")
    with g.scope("encoder"):
        W = g.parameter("W", shape=(3, 2), init=scg.init.glorot_uniform)
    x = g.data("x", 3, plates=batch)
    h = g.sample("h", scg.Bernoulli(logits=x @ W))
    total = g.deterministic("total", np.sum(h))
    y = g.sample("y", scg.Normal(total, 1.0))
    g.cost("loss", (y - 0.3) ** 2 + 0.1 * np.sum(W**2))
    g.cost("size", total * 0.5)
    return g


WRITE = 'write scg.Plate("batch")'


def fails(message):
    return pytest.raises(scg.DeclarationError, match=f"^{re.escape(message)}$")


# --- nodes ----------------------------------------------------------------------------------------
def test_nodes_have_event_shapes_plates_and_kinds(g):
    batch = scg.Plate("batch")
    x = g.data("x", (2, 3), plates=batch)
    k = g.data("k", kind="int", plates=[batch])
    z = g.sample("z", scg.Categorical(logits=np.zeros((4, 5))), plates=batch)
    one = g.sample("one", scg.OneHotCategorical(logits=np.zeros(5)))
    assert (x.shape, x.plates, x.kind, x.name) == ((2, 3), (batch,), "float", "x")
    assert (k.shape, k.plates, k.kind) == ((), (batch,), "int")
    assert (z.shape, z.plates, z.kind) == ((4,), (batch,), "int")
    assert (one.shape, one.plates, one.kind) == ((5,), (), "float")
    assert g.plates == (batch,)
    assert repr(x) == "node 'x' of shape (2, 3) on batch"
    assert repr(x + 1.0) == "node add(...) of shape (2, 3) on batch"
    assert (x + 1.0).name is None


def test_a_sample_lives_on_the_plates_of_its_parameters_and_its_own(g):
    batch, time = scg.Plate("batch"), scg.Plate("time")
    x = g.data("x", plates=time)
    z = g.sample("z", scg.Normal(x, 1.0), plates=batch)
    assert z.plates == (batch, time)  # in the order in which they were made
    assert repr(batch) == "Plate('batch')"


def test_a_sample_knows_its_distribution_and_log_prob(g):
    p = g.parameter("p", 0.3)
    z = g.sample("z", scg.Bernoulli(probs=p))
    assert isinstance(z.dist, scg.Bernoulli) and z.dist.parameters["probs"] is p
    assert z.log_prob() is z.dist.log_prob(z)
    normal = g.sample("x", scg.Normal(np.zeros(3), np.ones(3)))
    assert normal.log_prob().shape == () and normal.log_prob(elementwise=True).shape == (3,)
    stopped = z.log_prob(stop_params=True)
    users = {expr.op.name for expr in topological((stopped,)) if p in {*expr.args}}
    assert users == {"sample", "stop"}
    users = {expr.op.name for expr in topological((z.log_prob(),)) if p in {*expr.args}}
    assert "stop" not in users and len(users) > 1


def test_equal_samples_of_two_names_are_two_nodes(g):
    first, second = (g.sample(name, scg.Bernoulli(probs=0.3)) for name in ("a", "b"))
    assert first is not second and first.args == second.args


def test_deterministic_names_are_for_reading(g):
    x = g.data("x", 2)
    y = g.deterministic("y", np.exp(x))
    assert y is np.exp(x) and y.name == "y"
    again = g.deterministic("again", y)
    assert again.name == "y" and g.named("again") is y
    assert g.deterministic("five", 5.0).shape == ()


def test_costs_are_cast_to_floats(g):
    k = g.data("k", kind="int")
    g.cost("count", k)
    g.cost("constant", 3)
    assert g.costs["count"].kind == g.costs["constant"].kind == "float"


# --- names and scopes -----------------------------------------------------------------------------
def test_scopes_prefix_names(g):
    with g.scope("outer"):
        with g.scope("inner"):
            g.parameter("W", 1.0)
        g.data("x")
    g.parameter("W", 2.0)
    assert list(g.parameters) == ["outer/inner/W", "W"] and list(g.data_nodes) == ["outer/x"]
    assert set(g.init(seed=0)) == {"outer/inner/W", "W"}


def test_a_scope_ends_also_after_an_error(g):
    with pytest.raises(RuntimeError), g.scope("outer"):
        raise RuntimeError
    assert g.parameter("W", 1.0).name == "W"


def test_names_are_unique(g):
    g.parameter("W", 1.0)
    for declare in (
        lambda: g.parameter("W", 2.0),
        lambda: g.data("W"),
        lambda: g.sample("W", scg.Bernoulli(probs=0.5)),
        lambda: g.deterministic("W", 1.0),
        lambda: g.cost("W", 1.0),
    ):
        with fails(
            "graph 'toy' already has a parameter node 'W'; choose another name or a scope: "
            "with g.scope(...):"
        ):
            declare()
    with g.scope("other"):
        assert g.parameter("W", 2.0).name == "other/W"


@pytest.mark.parametrize(
    "name, message",
    [
        ("", "a node needs a name of printable characters, got ''"),
        ("a\n", "a node needs a name of printable characters, got 'a\\n'"),
        ("a/b", "node name 'a/b': '/' is reserved for scopes; write with g.scope(...):"),
        ("a@b", "node name 'a@b': '@' is reserved"),
        ("a#b", "node name 'a#b': '#' is reserved"),
    ],
)
def test_names_are_checked(g, name, message):
    with fails(message):
        g.data(name)
    with fails(message.replace("node", "scope", 1)), g.scope(name):
        pass


def test_a_name_that_is_not_there(g):
    g.data("hidden")
    with pytest.raises(scg.CallError, match=r"no node 'hiden'; did you mean 'hidden'\?$"):
        g.named("hiden")
    with pytest.raises(scg.CallError, match=r"^graph 'toy' has no node 'z'$"):
        g.named("z")


# --- parameters -----------------------------------------------------------------------------------
def test_init_depends_on_the_seed_and_the_name_alone(g):
    init = scg.init.normal(1.0)
    with g.scope("a"):
        g.parameter("W", shape=(3, 2), init=init)
    g.parameter("b", shape=4)
    g.parameter("c", [1, 2])
    params = g.init(seed=1)
    other = scg.Graph("other")
    other.parameter("first", shape=7, init=init)
    with other.scope("a"):
        other.parameter("W", shape=(3, 2), init=init)
    np.testing.assert_array_equal(params["a/W"], other.init(seed=1)["a/W"])
    assert not np.array_equal(params["a/W"], g.init(seed=2)["a/W"])
    assert not np.array_equal(params["a/W"], g.init(seed=(1, 0))["a/W"])
    np.testing.assert_array_equal(params["b"], np.zeros(4))
    np.testing.assert_array_equal(params["c"], [1.0, 2.0])
    assert all(value.dtype == np.float64 for value in params.values())
    params["c"][0] = 5.0  # the caller's own copy
    assert g.init(seed=1)["c"][0] == 1.0


def test_initializers():
    rng = np.random.default_rng(0)
    bound = np.sqrt(6 / 500)
    sample = scg.init.glorot_uniform(rng, (200, 300))
    assert -bound <= sample.min() < -0.999 * bound and 0.999 * bound < sample.max() <= bound
    assert np.ptp(scg.init.glorot_uniform(rng, (10_000,))) < 2 * np.sqrt(6 / 10_001)
    assert scg.init.glorot_uniform(rng, ()).shape == ()
    assert np.all(scg.init.constant(3)(rng, (2,)) == 3.0)
    assert np.all(scg.init.zeros(rng, (2,)) == 0.0)
    assert scg.init.normal()(rng, (10_000,)).std() == pytest.approx(0.01, rel=0.1)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({}, "parameter 'W': give an initial value or a shape (with init=...), not neither"),
        (
            {"value": 1.0, "shape": 2},
            "parameter 'W': give an initial value or a shape (with init=...), not both",
        ),
        (
            {"value": 1.0, "init": scg.init.zeros},
            "parameter 'W': init= goes with shape=, not a value",
        ),
        ({"value": "a"}, "parameter 'W': expected numbers, got 'a'"),
        ({"value": [np.nan]}, "parameter 'W': the initial value is not finite"),
        ({"shape": (2, 1.5)}, "parameter 'W': a shape is a tuple of integers, got (2, 1.5)"),
        ({"shape": -1}, "parameter 'W': a shape is a tuple of integers, got -1"),
        ({"shape": "32"}, "parameter 'W': a shape is a tuple of integers, got '32'"),
    ],
)
def test_parameters_are_checked(g, arguments, message):
    with fails(message):
        g.parameter("W", **arguments)
    assert g.parameter("W", 1.0).shape == ()  # what failed left nothing behind


def test_an_initializer_of_the_wrong_shape(g):
    g.parameter("W", shape=(2, 3), init=lambda rng, shape: np.zeros(3))
    with pytest.raises(
        scg.CallError,
        match=r"^parameter 'W': its initializer returned shape \(3,\), expected \(2, 3\)$",
    ):
        g.init(seed=0)


@pytest.mark.parametrize("seed", [None, 0.5, True, -1, ()])
def test_a_seed_is_an_integer_or_a_tuple(g, seed):
    with pytest.raises((TypeError, ValueError), match="seed"):
        g.init(seed=seed)


# --- plates ---------------------------------------------------------------------------------------
def test_two_plates_of_one_name(g):
    x = g.data("x", plates=scg.Plate("batch"))
    other = scg.Plate("batch")
    message = (
        "node 'y': the graph has two plates of the name 'batch'. Make one scg.Plate and use it "
        "everywhere, or choose another name"
    )
    with fails(message):
        g.data("y", plates=other)
    with fails(message):
        g.sample("y", scg.Normal(x, 1.0), plates=other)
    first, second = scg.Plate("new"), scg.Plate("new")
    with fails(message.replace("batch", "new")):
        g.data("y", plates=(first, second))
    assert g.data("y", plates=second).plates == (second,)


@pytest.mark.parametrize(
    "arguments, message",
    [
        (("",), "a plate needs a name of printable characters, got ''"),
        ((3,), f"scg.Plate: name must be a string, got 3; {WRITE}"),
        (
            ("b", {"length": 0}),
            f"scg.Plate: length must be a positive integer, or None, got 0; {WRITE}",
        ),
        (
            ("b", {"size": 1.5}),
            f"scg.Plate: size must be a positive integer, or None, got 1.5; {WRITE}",
        ),
        (("b", {"reduce": "max"}), "plate 'b': reduce must be \"mean\" or \"sum\", got 'max'"),
        (
            ("b", {"reduce": "mean", "size": 5}),
            "plate 'b': size=5 scales a sum over the plate; leave out reduce=\"mean\" or leave "
            "out size",
        ),
    ],
)
def test_plates_are_checked(arguments, message):
    name, options = (*arguments, {})[:2]
    with fails(message):
        scg.Plate(name, **options)


@pytest.mark.parametrize("plates", ["batch", 3, [3], object])
def test_what_is_no_plate(g, plates):
    with pytest.raises(
        scg.DeclarationError, match=r"^node 'x': expected a scg\.Plate, got .*scg.Plate\("
    ):
        g.data("x", plates=plates)


# --- costs ----------------------------------------------------------------------------------------
def test_a_vector_is_no_cost(g):
    x = g.data("x", 3, plates=scg.Plate("batch"))
    with fails(
        "cost 'loss' has event shape (3,), expected a scalar per plate element. "
        'Write np.sum(...) around it: g.cost("loss", np.sum(...))'
    ):
        g.cost("loss", x)
    g.cost("loss", np.sum(x))


def test_a_graph_needs_a_cost(g):
    g.parameter("W", 1.0)
    with fails("graph 'toy' declares no cost; write g.cost(\"loss\", ...) before compiling"):
        scg.compile(g)
    usage = "; write scg.compile(g, estimator=scg.MuProp())"
    with pytest.raises(scg.CallError, match=re.escape(f"a scg.Graph, got 'toy'{usage}")):
        scg.compile("toy")


@pytest.mark.parametrize(
    "declare",
    [
        lambda g, x: g.cost("loss", x),
        lambda g, x: g.deterministic("d", x),
        lambda g, x: g.sample("s", scg.Normal(x, 1.0)),
    ],
)
def test_nodes_of_another_graph(g, declare):
    x = scg.Graph("other").data("x")
    with pytest.raises(
        scg.DeclarationError,
        match=r"^node '\w+' of graph 'toy' uses node 'x' of shape \(\) of another graph \('other'",
    ):
        declare(g, x)


def test_what_is_no_distribution(g):
    with fails("node 'z': expected a distribution such as scg.Bernoulli(logits=...), got 0.5"):
        g.sample("z", 0.5)


def test_kinds_of_data(g):
    with fails("data 'x': kind must be \"float\" or \"int\", got 'bool'"):
        g.data("x", kind="bool")


# --- the whole graph ------------------------------------------------------------------------------
def test_repr():
    assert repr(toy()) == (
        "Graph('toy': 1 parameter, 1 data, 2 stochastic, 1 deterministic, 2 cost)"
    )
    assert repr(scg.Graph()) == "Graph('graph': )"


def test_to_networkx():
    graph = toy()
    digraph = graph.to_networkx()
    assert isinstance(digraph, nx.DiGraph) and digraph.name == "toy"
    assert nx.get_node_attributes(digraph, "role") == {
        "encoder/W": "parameter",
        "x": "data",
        "h": "stochastic",
        "total": "deterministic",
        "y": "stochastic",
        "loss": "cost",
        "size": "cost",
    }
    assert set(digraph.edges) == {
        ("encoder/W", "h"),
        ("x", "h"),
        ("h", "total"),
        ("total", "y"),
        ("y", "loss"),
        ("encoder/W", "loss"),
        ("total", "size"),
    }
    assert nx.is_directed_acyclic_graph(digraph)


def test_to_networkx_of_costs_that_are_named_nodes(g):
    p = g.parameter("p", 0.3)
    z = g.sample("z", scg.Bernoulli(probs=p))
    d = g.deterministic("d", z * 2.0)
    g.cost("same", d)
    g.cost("itself", z)
    assert set(g.to_networkx().edges) == {("p", "z"), ("z", "d"), ("d", "same"), ("z", "itself")}


def test_grad_inside_a_model(g):
    x = g.parameter("x", [1.0, 2.0])
    y = np.sum(x**3)
    slope = scg.grad(y, x)
    assert slope.shape == (2,) and isinstance(scg.grad(y, [x]), list)
    z = g.sample("z", scg.Normal(np.sum(x), 1.0))
    with pytest.raises(
        scg.DeclarationError,
        match=r"^scg.grad: a path leads through the sampling of node 'z' of shape .* write "
        r"scg.stop_gradient on it$",
    ):
        scg.grad(z * 2.0, x)
    assert scg.grad(z * y, z).shape == ()  # below the draw all is well
    assert scg.grad(scg.stop_gradient(z) * y, x).shape == (2,)
    with pytest.raises(scg.DeclarationError, match=r"must be a scalar per plate element; write np"):
        scg.grad(x * 2.0, x)


@pytest.mark.parametrize(
    "init, message",
    [
        (lambda rng: 1.0, "raised TypeError: .*; it is called as init"),
        (lambda rng, shape: "ones", "its initializer: expected real numbers, got .* <U4"),
        (lambda rng, shape: 1 / 0, "raised ZeroDivisionError: division by zero"),
        (lambda rng, shape: np.full(shape, np.inf), "its initializer returned what is not finite"),
        (
            lambda rng, shape: -np.ones(shape),
            "the value of its initializer must be positive, got -1",
        ),
    ],
)
def test_what_an_initializer_returns_is_checked(g, init, message):
    g.parameter("v", shape=2, init=init, constraint=scg.positive)
    with pytest.raises(scg.CallError, match=f"^parameter 'v'.*{message}"):
        g.init(seed=0)


@pytest.mark.parametrize("convert", ["constrained", "unconstrained"])
def test_names_and_values_of_constrained_parameters_are_checked(g, convert):
    g.parameter("scale", 1.0, constraint=scg.positive)
    for given, message in (
        ({"scal": 1.0}, "there is no parameter 'scal'; did you mean 'scale'\\?"),
        ({"scale": "one"}, "parameter 'scale': expected real numbers, got .* <U3"),
        ([1.0], "expected a mapping from names of parameters, got \\[1.0\\]"),
    ):
        with pytest.raises(scg.CallError, match=f"^{message}$"):
            getattr(g, convert)(given)
