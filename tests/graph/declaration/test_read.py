"""Reading: notation is the graph written in Python, and every fault is one clear error."""

import json

import numpy as np
import pytest

import scg
from scg.graph.declaration import read


def test_a_declaration_is_the_graph_written_in_python():
    nodes = {
        "loss": {"cost": "sum((h - y) ** 2) + h.log_prob() - 3 * z[0] + plate_mean(z, batch)[1]"},
        "h": {"sample": "Bernoulli(logits=x @ W + theta)"},
        "y": {"deterministic": "where(x[:2] > 0.5, 1.0, -tanh(z))"},
        "z": {"sample": "Normal(loc=[0.0, 1.0], scale=1.0)", "plates": ["batch"]},
        "W": {"parameter": {"shape": [4, 2], "init": "glorot_uniform"}},
        "theta": {"parameter": {"value": [0.4, -0.2]}},
        "x": {"data": {"shape": [4], "plates": ["batch"]}},
    }
    found = read({"name": "toy", "plates": {"batch": {"reduce": "sum"}}, "nodes": nodes}, scg.Graph)

    g = scg.Graph("toy")
    batch = scg.Plate("batch", reduce="sum")
    x = g.data("x", shape=(4,), plates=batch)
    weights = g.parameter("W", shape=(4, 2), init=scg.init.glorot_uniform)
    h = g.sample("h", scg.Bernoulli(logits=x @ weights + g.parameter("theta", [0.4, -0.2])))
    z = g.sample("z", scg.Normal(np.array([0.0, 1.0]), 1.0), plates=batch)
    y = np.where(x[:2] > 0.5, 1.0, -np.tanh(z))
    mean = scg.plate_mean(z, batch)[1]
    g.cost("loss", np.sum((h - y) ** 2) + h.log_prob() - 3 * z[0] + mean)

    data = {"x": np.random.default_rng(0).random((3, 4))}
    both = [
        scg.compile(graph, estimator={"h": scg.MuProp()})(graph.init(0), seed=1, runs=3, data=data)
        for graph in (found, g)
    ]
    assert both[0].cost == both[1].cost
    for name in ("W", "theta"):
        np.testing.assert_array_equal(both[0].grads[name], both[1].grads[name])


def test_custom_functions_in_notation():
    double = scg.op(lambda x: 2 * x, lambda g, out, x: (2 * g,), name="double")
    nodes = {"w": {"parameter": {"value": 3.0}}, "loss": {"cost": "double(w) - 1"}}
    g = scg.Graph.from_json({"nodes": nodes}, custom={"double": double})
    assert scg.compile(g)({"w": 3.0}, seed=0).cost == 5.0


def nested(depth, left, right, middle="1"):
    return left * depth + middle + right * depth


NODES = [
    ({"a": {"cost": "b"}, "b": {"deterministic": "a"}}, "a cycle: a → b → a"),
    (
        {"#1": {"op": "exp", "args": ["#2"]}, "#2": {"op": "exp", "args": ["#1"]}},
        "a cycle: #1 → #2 → #1",
    ),
    ({"a": {"cost": {"node": "#9"}}}, "node 'a' uses '#9', which is not declared"),
    ({"a": {"cost": "b"}}, "node 'a' uses 'b', which is not declared"),
    ({"a": {"cost": "1 +"}}, "node 'a': invalid syntax: '1 +'"),
    ({"a": {"cost": 3}}, "node 'a': expected an expression in quotes, got 3"),
    (
        {"a": {"price": "1"}},
        "node 'a': expected one of parameter, data, sample, deterministic, cost, got ['price']",
    ),
    (
        {"a": {"cost": "1.0", "data": {}}},
        "node 'a': expected one of parameter, data, sample, deterministic, cost, got "
        "['cost', 'data']",
    ),
    (
        {"#1": {"cost": "1.0"}},
        "node '#1': expected one of constant, op, custom, unconstrained, plate_size, got ['cost']",
    ),
    (
        {"a": {"cost": "1.0", "when": 1}},
        "node 'a': entry: unknown entry 'when'; known: ['cost']",
    ),
    ({"a": 3}, "node 'a': entry: expected an object {...}, got 3"),
    (
        {"a": {"sample": "Bernoulli(probs=0.5)", "plates": ["p"]}},
        "node 'a': unknown plate 'p'",
    ),
    (
        {"a": {"sample": "Bernoulli(p=0.5)"}},
        "node 'a': Bernoulli has no argument 'p'; it takes logits=, probs=",
    ),
    (
        {"a": {"sample": "Bernoulli(probs=1.5)"}},
        "node 'a': Bernoulli: probs must be between 0 and 1, got 1.5",
    ),
    (
        {
            "a": {"sample": {"family": "Bernoulli", "static": ["probs"], "args": ["#1"]}},
            "#1": {"constant": 1.5},
        },
        "node 'a': Bernoulli: probs must be between 0 and 1, got 1.5",
    ),
    (
        {"a": {"sample": {"family": "Bernouli", "static": [], "args": []}}},
        "node 'a': unknown distribution 'Bernouli'; did you mean 'Bernoulli'?",
    ),
    (
        {"a": {"sample": {"family": "Mine", "static": [], "args": []}}},
        "node 'a': unknown distribution 'Mine'; hand one of your own over: "
        "from_json(text, custom={...})",
    ),
    (
        {"a": {"parameter": {"shape": [2], "init": {"constant": {"value": "one"}}}}},
        "node 'a': value: expected finite numbers, got 'one'",
    ),
    (
        {"a": {"parameter": {"shape": [2], "init": "magic"}}},
        "node 'a': unknown initializer 'magic'; hand one of your own over: "
        "from_json(text, custom={...})",
    ),
    (
        {"a": {"parameter": {"value": 1.0, "constraint": "possitive"}}},
        "node 'a': unknown constraint 'possitive'; did you mean 'positive'?",
    ),
    (
        {"a": {"parameter": {"value": [1.0, [2.0]]}}},
        "node 'a': value: expected finite numbers, got [1.0, [2.0]]",
    ),
    (
        {"a": {"parameter": {"value": float("nan")}}},
        "node 'a': value: expected finite numbers, got nan",
    ),
    ({"a": {"cost": "1e999"}}, "node 'a': a number is not finite"),
    ({"a": {"cost": "9.0 ** 9 ** 9"}}, "node 'a': a power of numbers is not finite"),
    (
        {"a": {"data": {"shape": 3}}, "b": {"cost": "one_hot(a, 10000000)"}},
        "node 'b': an integer of 8 digits; write it as 1.0e+07",
    ),
    (
        {"a": {"data": {"shape": [2, -1]}}},
        "node 'a': data 'a': a shape is a tuple of integers, got [2, -1]",
    ),
    (
        {
            "x": {"data": {"shape": 3}},
            "y": {"data": {"shape": 4}},
            "#1": {"op": "add", "args": ["x", "y"]},
        },
        "node '#1': add: shape mismatch: objects cannot be broadcast to a single shape. Mismatch "
        "is between arg 0 with shape (3,) and arg 1 with shape (4,). (arguments: node 'x' of "
        "shape (3,), node 'y' of shape (4,))",
    ),
    (
        {"x": {"data": {"shape": 3}}, "a": {"cost": "x"}},
        "node 'a': cost 'a' has event shape (3,), expected a scalar per plate element. "
        'Write np.sum(...) around it: g.cost("a", np.sum(...))',
    ),
    (
        {"a": {"parameter": {"value": 1.0}, "plates": ["p"]}},
        "node 'a': entry: unknown entry 'plates'; known: ['parameter']",
    ),
    (
        {"a": {"data": {"plates": []}, "plates": ["p"]}},
        "node 'a': entry: unknown entry 'plates'; known: ['data']",
    ),
    (
        {"#1": {"constant": 3.0, "plates": ["p"]}},
        "node '#1': entry: unknown entry 'plates'; known: ['constant', 'kind', 'shape']",
    ),
    ({"#1": {"op": "exq", "args": []}}, "node '#1': unknown op 'exq'; did you mean 'exp'?"),
    ({"#1": {"op": "noise", "args": []}}, "node '#1': op 'noise' is not for declarations"),
    ({"#1": {"op": "exp", "args": 3}}, "node '#1': args: expected names, got 3"),
    ({"#1": {"op": "exp", "args": []}}, "node '#1': exp: expected 1 argument, got 0"),
    (
        {"#1": {"custom": "reward", "args": []}},
        "node '#1': unknown custom op 'reward'; hand one of your own over: "
        "from_json(text, custom={...})",
    ),
    (
        {"#1": {"constant": "x"}},
        "node '#1': unknown number 'x'",
    ),
    (
        {"a": {"cost": "1.0"}, "b": {"cost": {"node": "a"}}},
        "node 'b': 'a' is a cost; other nodes cannot refer to it",
    ),
    ({"a@b": {"cost": "1.0"}}, "node 'a@b': node name 'a@b': '@' is reserved"),
    (
        {"a//b": {"cost": "1.0"}},
        "node 'a//b': a scope needs a name of printable characters, got ''",
    ),
    (
        {"a\nb": {"cost": "1.0"}},
        "node 'a\\nb': a node needs a name of printable characters, got 'a\\nb'",
    ),
    (
        {"x": {"data": {}}, "a": {"cost": "x.log_prob()"}},
        "node 'a': log_prob: expected a stochastic node or a distribution, got node 'x' of shape "
        "()",
    ),
    (
        {"x": {"data": {}}, "a": {"cost": "sum([x, x] * 2)"}},
        "node 'a': a list of nodes is not an array; write stack([...])",
    ),
    # nothing is executed
    ({"a": {"cost": "open('x')"}}, "node 'a' uses 'open', which is not declared"),
    ({"a": {"cost": "exp.__self__"}}, "node 'a': 'exp.__self__' is not allowed in an expression"),
    ({"a": {"cost": "(lambda: 1)()"}}, "node 'a': '(lambda: 1)()' is not allowed in an expression"),
    (
        {"a": {"cost": "'x' * 9"}},
        "node 'a': \"'x'\" is not allowed in an expression",
    ),
    (
        {"a": {"cost": "zeros"}},
        "node 'a' uses 'zeros', which is not declared",
    ),
    (
        {"a": {"cost": "tile(1.0, 9)"}},
        "node 'a': tile: expected a node among its arguments; write the numbers",
    ),
    (
        {"a": {"cost": "op(exp)"}},
        "node 'a' uses 'op', which is not declared",
    ),
]


@pytest.mark.parametrize(("nodes", "message"), NODES)
def test_nodes_that_are_refused(nodes, message):
    with pytest.raises(scg.DeclarationError) as caught:
        read({"nodes": nodes}, scg.Graph, what="m.json")
    assert str(caught.value) == f"m.json: {message}"
    with pytest.raises(scg.DeclarationError):
        scg.Graph.from_json(json.dumps({"nodes": nodes}))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "m.json:1: Expecting value"),
        ('{"nodes": {}\n,}', "m.json:2: "),
        ("[]", "m.json: expected an object {...}, got []"),
        ('{"schema": 2}', "m.json: schema 2; this version of scg reads schema 1"),
        ('{"node": {}}', "m.json: unknown entry 'node'; known: "),
        ('{"nodes": {"a": {}, "a": {}}}', "m.json: the name 'a' is given twice"),
        ('{"nodes": {"a": {"parameter": {"value": NaN}}}}', "m.json: NaN is not a finite number"),
        ('{"nodes": {"a": {"parameter": {"value": 1e999}}}}', "m.json: 1e999 is not a finite num"),
        ('{"plates": {"p": {"length": 0}}}', "m.json: plate 'p': scg.Plate: length must be a pos"),
        ('{"name": 3}', "m.json: name: expected a string, got 3"),
        (nested(100_000, "[", "]"), "m.json: nested too deeply"),
        (nested(100_000, '{"a":', "}"), "m.json: nested too deeply"),
        (
            '{"nodes": {' + ",".join(f'"#{i}": {{"constant": 1}}' for i in range(10**6)) + "}}",
            "m.json: more than 100000 nodes",
        ),
        (
            json.dumps({"nodes": {"a": {"cost": "+".join("1" * 4000)}}}),
            "m.json: node 'a': an expression is nested too deeply: '1+1+1",
        ),
        (
            json.dumps({"nodes": {"a": {"cost": "+".join("1" * 9000)}}}),
            "m.json: node 'a': an expression of 17999 characters, more than 10000: give its parts",
        ),
        (
            json.dumps({"nodes": {"a": {"cost": nested(3000, "(", ")")}}}),
            "m.json: node 'a': too many nested parentheses",
        ),
        (
            json.dumps({"nodes": {"a": {"cost": nested(3000, "-", "")}}}),
            "m.json: node 'a': an expression is nested too deeply",
        ),
    ],
    ids=lambda text: text[:30],
)
def test_texts_that_are_refused(text, message):
    with pytest.raises(scg.DeclarationError) as caught:
        read(text, scg.Graph, what="m.json")
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)
