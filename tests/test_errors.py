"""The error table: what is wrong, and the exact message. Messages name the node and what to do."""

import configparser
import re
from pathlib import Path

import numpy as np
import pytest

import scg

D, C, E = scg.DeclarationError, scg.CallError, scg.EstimatorError


def graph():
    """Return a graph with one node of each role: data on a batch, parameter, sample, cost."""
    g = scg.Graph("toy")
    batch = scg.Plate("batch")
    x = g.data("x", shape=2, plates=batch)
    w = g.parameter("w", np.zeros(2))
    b = g.sample("b", scg.Bernoulli(logits=x @ w))
    g.cost("loss", (b - 0.4) ** 2)
    return g


def nodes(g):
    return (g.named(name) for name in ("x", "w", "b"))


def of_another_graph(g):
    return scg.Graph("other").parameter("u", 1.0)


# --- declaration: each row declares something wrong on the graph above ---------------------------
NAME = "a node needs a name of printable characters, got "
DECLARE = {
    "duplicate name": (
        lambda g: g.parameter("x", 1.0),
        D,
        "graph 'toy' already has a data node 'x'; choose another name or a scope: "
        "with g.scope(...):",
    ),
    "empty name": (lambda g: g.parameter("", 1.0), D, NAME + "''"),
    "name is no string": (
        lambda g: g.parameter(3, 1.0),
        D,
        'g.parameter: name must be a string, got 3; write g.parameter("theta", 0.4)',
    ),
    "blank name": (lambda g: g.data("  "), D, NAME + "'  '"),
    "newline in a name": (lambda g: g.data("a\nimport os"), D, NAME + "'a\\nimport os'"),
    "null in a name": (lambda g: g.cost("a\0", 1.0), D, NAME + "'a\\x00'"),
    "slash in a name": (
        lambda g: g.data("a/b"),
        D,
        "node name 'a/b': '/' is reserved for scopes; write with g.scope(...):",
    ),
    "at in a name": (lambda g: g.data("a@b"), D, "node name 'a@b': '@' is reserved"),
    "scope without a name": (
        lambda g: g.scope("").__enter__(),
        D,
        "a scope needs a name of printable characters, got ''",
    ),
    "distribution of text": (
        lambda g: scg.Normal("a", 1.0),
        D,
        "loc of Normal: expected real numbers, got an array of dtype <U1",
    ),
    "constant with rows of two lengths": (
        lambda g: g.named("x") * [[1.0], [1.0, 2.0]],
        D,
        "a constant: expected an array of numbers, got [[1.0], [1.0, 2.0]]: setting an array "
        "element with a sequence. The requested array has an inhomogeneous shape after 1 "
        "dimensions. The detected shape was (2,) + inhomogeneous part.",
    ),
    "parameter without value": (
        lambda g: g.parameter("v"),
        D,
        "parameter 'v': give an initial value or a shape (with init=...), not neither",
    ),
    "parameter with value and shape": (
        lambda g: g.parameter("v", 1.0, shape=2),
        D,
        "parameter 'v': give an initial value or a shape (with init=...), not both",
    ),
    "parameter with value and init": (
        lambda g: g.parameter("v", 1.0, init=scg.init.zeros),
        D,
        "parameter 'v': init= goes with shape=, not a value",
    ),
    "parameter of text": (
        lambda g: g.parameter("v", "one"),
        D,
        "parameter 'v': expected numbers, got 'one'",
    ),
    "parameter not finite": (
        lambda g: g.parameter("v", [1.0, np.inf]),
        D,
        "parameter 'v': the initial value is not finite",
    ),
    "parameter outside its constraint": (
        lambda g: g.parameter("v", [1.0, -2.0], constraint=scg.positive),
        D,
        "parameter 'v' must be positive, got -2. at index 1",
    ),
    "constraint is none": (
        lambda g: g.parameter("v", 1.0, constraint="positive"),
        D,
        "parameter 'v': expected a constraint such as scg.positive, got 'positive'",
    ),
    "negative shape": (
        lambda g: g.data("v", shape=(2, -1)),
        D,
        "data 'v': a shape is a tuple of integers, got (2, -1)",
    ),
    "shape of text": (
        lambda g: g.data("v", shape="2"),
        D,
        "data 'v': a shape is a tuple of integers, got '2'",
    ),
    "data of an unknown kind": (
        lambda g: g.data("v", kind="bool"),
        D,
        "data 'v': kind must be \"float\" or \"int\", got 'bool'",
    ),
    "plate is none": (
        lambda g: g.data("v", plates="batch"),
        D,
        "node 'v': expected a scg.Plate, got 'batch'; make it once, as in batch = "
        'scg.Plate("batch")',
    ),
    "plate without a name": (
        lambda g: scg.Plate(""),
        D,
        "a plate needs a name of printable characters, got ''",
    ),
    "plate of two lines": (
        lambda g: scg.Plate("a\nb"),
        D,
        "a plate needs a name of printable characters, got 'a\\nb'",
    ),
    "op of spaces": (
        lambda g: scg.op(np.exp, name="  "),
        D,
        "an op needs a name of printable characters, got '  '",
    ),
    "plate of length zero": (
        lambda g: scg.Plate("p", length=0),
        D,
        'scg.Plate: length must be a positive integer, or None, got 0; write scg.Plate("batch")',
    ),
    "plate with unknown reduction": (
        lambda g: scg.Plate("p", reduce="max"),
        D,
        "plate 'p': reduce must be \"mean\" or \"sum\", got 'max'",
    ),
    "plate with size and mean": (
        lambda g: scg.Plate("p", size=9, reduce="mean"),
        D,
        "plate 'p': size=9 scales a sum over the plate; leave out reduce=\"mean\" or leave "
        "out size",
    ),
    "two plates of one name": (
        lambda g: g.data("v", plates=scg.Plate("batch")),
        D,
        "node 'v': the graph has two plates of the name 'batch'. Make one scg.Plate and use it "
        "everywhere, or choose another name",
    ),
    "vector cost": (
        lambda g: g.cost("v", g.named("x") ** 2),
        D,
        "cost 'v' has event shape (2,), expected a scalar per plate element. Write np.sum(...) "
        'around it: g.cost("v", np.sum(...))',
    ),
    "cost of text": (
        lambda g: g.cost("v", "loss"),
        D,
        "node 'v': a constant must be an array of numbers, got str of dtype <U4; only functions of "
        "np and scg take nodes",
    ),
    "mask of another shape": (
        lambda g: g.cost("v", np.sum(g.named("x")), mask=g.named("x") > 0),
        D,
        "cost 'v': the mask is node greater(...) of shape (2,) on batch, but masks node sum(...) "
        "of shape () on batch; it needs the same shape and no other plates",
    ),
    "mask on more plates": (
        lambda g: g.cost("v", np.sum(g.named("w")), mask=g.named("b")),
        D,
        "cost 'v': the mask is node 'b' of shape () on batch, but masks node sum(...) of shape (); "
        "it needs the same shape and no other plates",
    ),
    "sample of no law": (
        lambda g: g.sample("v", g.named("b")),
        D,
        "node 'v': expected a distribution such as scg.Bernoulli(logits=...), got "
        "node 'b' of shape () on batch",
    ),
    "observation of another shape": (
        lambda g: g.observe("v", scg.Normal(g.named("w"), 1.0), g.named("b")),
        D,
        "observation 'v': the value has event shape (), but Normal has events of shape (2,)",
    ),
    "observation of another kind": (
        lambda g: g.observe("v", scg.Categorical(logits=g.named("w")), g.named("b")),
        D,
        "observation 'v': Categorical has integer values, got node 'b' of shape () on batch of "
        'kind float; declare data with kind="int"',
    ),
    "observed number outside the support": (
        lambda g: g.observe("v", scg.Bernoulli(logits=g.named("w")), [0.0, 0.5]),
        D,
        "observation 'v': the value must be 0 or 1, got 0.5 at index 1",
    ),
    "node of another graph": (
        lambda g: g.cost("v", of_another_graph(g)),
        D,
        "node 'v' of graph 'toy' uses node 'u' of shape () of another graph ('other')",
    ),
    "nodes of two graphs": (
        lambda g: g.named("b") + of_another_graph(g),
        D,
        "add: nodes of different graphs ('other', 'toy') cannot be combined. Declare the model in "
        "one graph",
    ),
    "shapes that do not broadcast": (
        lambda g: g.named("x") + np.ones(3),
        D,
        "add: shape mismatch: objects cannot be broadcast to a single shape.  Mismatch is between "
        "arg 0 with shape (2,) and arg 1 with shape (3,). (arguments: node 'x' of shape (2,) on "
        "batch, node const(...) of shape (3,))",
    ),
    "shapes that do not multiply": (
        lambda g: g.named("x") @ np.ones((3, 2)),
        D,
        "contract: axes of length 2 and 3 cannot be contracted (arguments: node 'x' of shape (2,) "
        "on batch, node const(...) of shape (3, 2))",
    ),
    "product with a scalar": (
        lambda g: g.named("x") @ g.named("b"),
        D,
        "matmul: a scalar has no matrix product; write a * b",
    ),
    "axis out of range": (
        lambda g: np.sum(g.named("x"), axis=1),
        D,
        "axis 1 is out of range for node 'x' of shape (2,) on batch; axes are those of the shape, "
        "and a plate is none of them",
    ),
    "index out of range": (
        lambda g: g.named("x")[2],
        D,
        "index 2 is out of range for an axis of length 2 of node 'x' of shape (2,) on batch",
    ),
    "too many indices": (
        lambda g: g.named("x")[0, 0],
        D,
        "node 'x' of shape (2,) on batch has 1 event axes, but the index has 2",
    ),
    "float index": (
        lambda g: g.named("x")[g.named("b")],
        D,
        "an index must be integers, got node 'b' of shape () on batch (float)",
    ),
    "mean of nothing": (
        lambda g: np.mean(g.named("x")[:0]),
        D,
        "mean: an event of shape (0,) has no elements to average",
    ),
    "maximum of nothing": (
        lambda g: np.max(g.named("x")[:0]),
        D,
        "max: an axis of length 0 has no largest element (arguments: node slice(...) of shape (0,) "
        "on batch)",
    ),
    "position of the maximum of nothing": (
        lambda g: np.argmax(g.named("x")[:0]),
        D,
        "argmax: an axis of length 0 has no largest element (arguments: node reshape(...) of shape "
        "(0,) on batch)",
    ),
    "variance of one": (
        lambda g: np.var(g.named("x")[:1], ddof=1),
        D,
        "var, std: 1 elements, which with ddof=1 leave no divisor",
    ),
    "a shape of booleans": (
        lambda g: g.data("v", shape=(True, 2)),
        D,
        "data 'v': a shape is a tuple of integers, got (True, 2)",
    ),
    "constant of complex numbers": (
        lambda g: g.named("x") + 1j,
        D,
        "a constant must be an array of numbers, got complex of dtype complex128; only functions "
        "of np and scg take nodes",
    ),
    "observation of no law": (
        lambda g: g.observe("v", scg.Normal, 0.0),
        D,
        "node 'v': expected a distribution such as scg.Bernoulli(logits=...), got the class "
        "Normal and not Normal(...)",
    ),
    "axis that is no integer": (
        lambda g: np.sum(g.named("x"), axis=0.5),
        D,
        "an axis is an integer or a tuple of integers, got 0.5",
    ),
    "axis given twice": (
        lambda g: np.sum(np.outer(g.named("x"), g.named("x")), axis=(0, -2)),
        D,
        "an axis of node contract(...) of shape (2, 2) on batch is given twice in (0, -2)",
    ),
    "several axes for one": (
        lambda g: np.sort(g.named("x"), axis=()),
        D,
        "expected one axis of node 'x' of shape (2,) on batch, got ()",
    ),
    "negative width of a border": (
        lambda g: np.pad(g.named("x"), -1),
        D,
        "pad: expected a width, a pair, or a pair for each of 1 axes, not negative, got -1",
    ),
    "negative repetition": (
        lambda g: np.tile(g.named("x"), -1),
        D,
        "tile: reps must not be negative, got (-1,)",
    ),
    "repetition of each its own": (
        lambda g: np.repeat(g.named("x"), [1, 2]),
        D,
        "repeat: repeats: expected an integer, at least 0, got [1, 2]",
    ),
    "two unknown lengths": (
        lambda g: g.named("x").reshape(-1, -1),
        D,
        "reshape: at most one entry may be -1, got (-1, -1)",
    ),
    "shape of floats": (
        lambda g: g.named("x").reshape(2.0),
        D,
        "reshape: a shape is an integer or a tuple of integers, got 2.0",
    ),
    "triangle of a vector": (
        lambda g: np.tril(g.named("x")),
        D,
        "tril, triu: expected a matrix, got an event of shape (2,)",
    ),
    "one-hot of no classes": (
        lambda g: scg.one_hot(g.data("k", kind="int"), 0),
        D,
        "scg.one_hot: depth: expected an integer, at least 1, got 0",
    ),
    "order of a derivative": (
        lambda g: scg.polygamma(g.named("x"), order=-1),
        D,
        "polygamma: order: expected an integer, at least 0, got -1",
    ),
    "too many arguments": (
        lambda g: scg.sigmoid(g.named("x"), 1.0),
        D,
        "sigmoid: expected 1 argument, got 2",
    ),
    "derivative in no node": (
        lambda g: scg.grad(g.named("b"), [3]),
        D,
        "scg.grad: expected nodes, got 3",
    ),
    "plate of true length": (
        lambda g: scg.Plate("p", length=True),
        D,
        'scg.Plate: length must be a positive integer, or None, got True; write scg.Plate("batch")',
    ),
    "initializer that is none": (
        lambda g: g.parameter("v", shape=2, init=3),
        D,
        "parameter 'v': init is an initializer such as scg.init.zeros or scg.init.normal(0.01), "
        "got 3",
    ),
    "initializer that is a class": (
        lambda g: g.parameter("v", shape=2, init=scg.init.NormalValues),
        D,
        "parameter 'v': init is an initializer such as scg.init.zeros or scg.init.normal(0.01), "
        "got the class NormalValues and not NormalValues(...)",
    ),
    "initializer of text": (
        lambda g: scg.init.normal("wide"),
        D,
        "scg.init.normal: scale must be a number, got 'wide'; write scg.init.normal(0.01)",
    ),
    "initializer of a negative scale": (
        lambda g: scg.init.normal(-1.0),
        D,
        "scg.init.normal: scale must not be negative, got -1.0",
    ),
    "node named by a list": (
        lambda g: g.named(["b"]),
        C,
        "g.named: name must be a string, got ['b']; write g.named(\"z\")",
    ),
    "parameter too large": (
        lambda g: g.parameter("v", shape=(10**9, 10**9, 10**9)),
        D,
        "parameter 'v': arrays of shape (1000000000, 1000000000, 1000000000) are too large for "
        "any memory",
    ),
    "parameter that overflows": (
        lambda g: g.parameter("v", 10**400),
        D,
        "parameter 'v': expected numbers, got 1" + 79 * "0",
    ),
    "misspelt option": (
        lambda g: g.parameter("v", shpae=2),
        D,
        "g.parameter has no argument 'shpae'; did you mean 'shape'?; it takes name, value, shape=, "
        "init=, constraint=",
    ),
    "missing argument": (
        lambda g: g.observe("v", scg.Normal(0.0, 1.0)),
        D,
        "g.observe: missing a required argument: 'value'; write "
        'g.observe("y", scg.Normal(mean, 1.0), y)',
    ),
    "graph with an unknown option": (
        lambda g: scg.Graph(nme="toy"),
        D,
        "scg.Graph has no argument 'nme'; did you mean 'name'?; it takes name",
    ),
    "cost that is not finite": (
        lambda g: g.cost("v", np.nan),
        D,
        "cost 'v' is the number nan, which is not finite",
    ),
    "bound of text": (
        lambda g: scg.dreg("log_joint", g.named("b"), scg.Plate("k")),
        D,
        "scg.dreg: log_joint must be a function, got 'log_joint'; write "
        "scg.dreg(lambda z: log_p(z), z, plate)",
    ),
    "names of a declaration in a list": (
        lambda g: scg.Graph.from_json("{}", custom=["reward"]),
        D,
        "scg.Graph.from_json: custom must be a mapping from names, or None, got ['reward']; write "
        "scg.Graph.from_json(text)",
    ),
    "graph named by a number": (
        lambda g: scg.Graph(3),
        D,
        'scg.Graph: name must be a string, got 3; write scg.Graph("toy")',
    ),
    "layers without widths": (
        lambda g: scg.nn.mlp(g, "m", 3),
        D,
        "scg.nn.mlp: widths must be a list of widths such as [64, 10], got 3; write "
        'scg.nn.mlp(g, "q", [64, 10])(x)',
    ),
    "bound of a number": (
        lambda g: scg.elbo(1.0, g.named("b")),
        D,
        "scg.elbo: log_p is 1.0, expected a scalar for each plate element; sum log-probabilities "
        "over their events",
    ),
    "particles that are no plate": (
        lambda g: scg.iwae(g.named("b"), "batch"),
        D,
        "scg.iwae: plate must be a plate such as scg.Plate(\"particles\", length=5), got 'batch'; "
        "write scg.iwae(log_w, plate)",
    ),
    "reduction over a plate that is not there": (
        lambda g: scg.plate_mean(g.named("w"), scg.Plate("p")),
        D,
        "scg.plate_mean: node 'w' of shape (2,) is not on plate 'p'. It can only be reduced over a "
        "plate that it has",
    ),
    "wrong reshape": (
        lambda g: g.named("x").reshape(3),
        D,
        "reshape: an event of shape (2,) cannot be reshaped to (3,) (arguments: node 'x' of shape "
        "(2,) on batch)",
    ),
    "if node": (
        lambda g: 1 if g.named("b") > 0 else 0,
        TypeError,
        "node greater(...) of shape () on batch has no truth value while a graph is declared. "
        "Write np.where(condition, a, b) instead of `if`",
    ),
    "for x in node": (
        lambda g: list(g.named("x")),
        TypeError,
        "node 'x' of shape (2,) on batch cannot be iterated. Write np.sum(node), node[i], or "
        "[node[i] for i in range(node.shape[0])]",
    ),
    "node as array": (
        lambda g: np.asarray(g.named("x")),
        TypeError,
        "node 'x' of shape (2,) on batch holds no values. For samples call g.simulate(params, "
        "nodes=[...], seed=1); inside a model write functions of np or scg on it, such as "
        "np.exp, np.stack([node, node]) in place of np.array, and scg.take(array, node, axis=0) in "
        "place of array[node]",
    ),
    "unsupported function": (
        lambda g: np.nansum(g.named("x")),
        TypeError,
        "np.nansum is not supported on nodes; the nearest supported function is np.sum",
    ),
    "ufunc with out": (
        lambda g: np.add(g.named("x"), 1.0, out=np.zeros(2)),
        TypeError,
        "np.add with out is not supported on nodes; it takes nodes and arrays alone; a node is "
        "immutable: use the result",
    ),
    "law with two parametrisations": (
        lambda g: scg.Bernoulli(logits=0.0, probs=0.5),
        D,
        "Bernoulli: give exactly one of logits= or probs=, got logits, probs",
    ),
    "law without parameters": (
        lambda g: scg.Bernoulli(),
        D,
        "Bernoulli: give exactly one of logits= or probs=, got none",
    ),
    "probability above one": (
        lambda g: scg.Bernoulli(probs=[0.1, 1.7]),
        D,
        "Bernoulli: probs must be between 0 and 1, got 1.7 at index 1",
    ),
    "negative scale": (
        lambda g: scg.Normal(0.0, -1.0),
        D,
        "Normal: scale must be positive, got -1.",
    ),
    "probabilities that do not sum to one": (
        lambda g: scg.Categorical(probs=[0.5, 0.6]),
        D,
        "Categorical: probs must be a vector of non-negative numbers that sum to one, got "
        "[0.5 0.6]",
    ),
    "classes without an axis": (
        lambda g: scg.Categorical(logits=0.0),
        D,
        "Categorical: logits must be a vector of numbers less than infinity, of which one is "
        "finite, got shape ()",
    ),
    "parameters that do not broadcast": (
        lambda g: scg.Normal(np.zeros(2), np.ones(3)),
        D,
        "Normal: parameter shapes do not broadcast: loc (2,), scale (3,)",
    ),
    "uniform the wrong way": (
        lambda g: scg.Uniform(1.0, 0.0),
        D,
        "Uniform: low must be less than high, got 1.0 and 0.0",
    ),
    "op that is no function": (
        lambda g: scg.op(3),
        D,
        "scg.op: fn must be a function, got 3; write scg.op(function, vjp=None)",
    ),
    "divergence of two families": (
        lambda g: scg.Normal(0.0, 1.0).kl(scg.Laplace(0.0, 1.0)),
        scg.UnsupportedError,
        "kl(Normal, Laplace) has no closed form here; write it as log_prob of one minus log_prob "
        "of the other",
    ),
    "mean that does not exist": (
        lambda g: scg.Cauchy(0.0, 1.0).mean(),
        scg.UnsupportedError,
        "Cauchy has no mean: its integral diverges",
    ),
}


@pytest.mark.parametrize("row", DECLARE)
def test_declaration(row):
    declare, kind, message = DECLARE[row]
    with pytest.raises(kind) as caught:
        declare(graph())
    assert str(caught.value) == message


# --- compile --------------------------------------------------------------------------------------
def with_costs_on_two_plates():
    g = graph()
    g.cost("penalty", np.sum(g.named("w") ** 2))
    return g


def with_observation():
    g = graph()
    g.observe("seen", scg.Bernoulli(logits=g.named("b")), 1.0)
    return g


def opaque():
    g = scg.Graph("opaque")
    z = g.sample("z", scg.Normal(g.parameter("mu", 0.0), 1.0))
    g.cost("loss", 1.0 * (z > 0.3))
    return g


COMPILE = {
    "no graph": (
        lambda: scg.compile({"x": 1}),
        C,
        "scg.compile: graph must be a scg.Graph, got {'x': 1}; write scg.compile(g, "
        "estimator=scg.MuProp())",
    ),
    "no cost": (
        lambda: scg.compile(scg.Graph("empty")),
        D,
        "graph 'empty' declares no cost; write g.cost(\"loss\", ...) before compiling",
    ),
    "unknown backend": (
        lambda: scg.compile(graph(), backend="torch"),
        D,
        "scg.compile: backend must be one of 'numba', 'numpy', got 'torch'",
    ),
    "unknown dtype": (
        lambda: scg.compile(graph(), dtype="float16"),
        D,
        "scg.compile: dtype must be one of 'float64', 'float32', got 'float16'",
    ),
    "order": (
        lambda: scg.compile(graph(), order=3),
        D,
        "scg.compile: order must be 1 or 2, got 3",
    ),
    "costs on different plates": (
        lambda: scg.compile(with_costs_on_two_plates()),
        D,
        "cost 'loss' is on plate 'batch' and another cost is not, so it must be said how the plate "
        'is reduced: scg.Plate(\'batch\', reduce="mean") or reduce="sum"',
    ),
    "a cost beside an observation": (
        lambda: scg.compile(with_observation()),
        D,
        "cost 'loss' is on plate 'batch' and observation 'seen' is summed, so it must be said how "
        'the plate is reduced: scg.Plate(\'batch\', reduce="mean") or reduce="sum"',
    ),
    "an estimator that is none": (
        lambda: scg.compile(graph(), estimator="muprop"),
        E,
        "estimator: expected an estimator such as scg.MuProp(), a dict from node names to "
        "estimators, or None, got 'muprop'",
    ),
    "an estimator class": (
        lambda: scg.compile(graph(), estimator=scg.MuProp),
        E,
        "estimator: expected an estimator such as scg.MuProp(), a dict from node names to "
        "estimators, or None, got the class MuProp and not MuProp(...)",
    ),
    "an estimator for an unknown node": (
        lambda: scg.compile(graph(), estimator={"c": scg.MuProp()}),
        E,
        "estimator for 'c': graph 'toy' has no such stochastic node (its stochastic nodes: 'b')",
    ),
    "an estimator for a node in place of its name": (
        lambda: scg.compile(g := graph(), estimator={g.named("b"): scg.MuProp()}),
        E,
        "estimator: nodes go by their names, got node 'b' of shape () on batch as a key",
    ),
    "a recorded node in place of its name": (
        lambda: scg.compile(g := graph(), given=[g.named("b")]),
        E,
        "given: nodes go by their names, got node 'b' of shape () on batch",
    ),
    "a path that is not continuous": (
        lambda: scg.compile(opaque(), estimator=scg.Reparameterization()),
        E,
        "node 'z' (Normal) uses Reparameterization, but the path z → greater is not continuous at "
        "'greater', so that its derivative misses a jump (wrap the op in scg.continuous(...) if it "
        "does not). Try ",
    ),
    "a law without a pathwise draw": (
        lambda: scg.compile(graph(), estimator={"b": scg.Reparameterization()}),
        E,
        "node 'b' (Bernoulli) uses Reparameterization, but Bernoulli has no reparameterization. "
        "Try ",
    ),
}


@pytest.mark.parametrize("row", COMPILE)
def test_compile(row):
    build, kind, message = COMPILE[row]
    with pytest.raises(kind) as caught:
        build()
    # what to try instead grows with the table of estimators
    said, tried, _ = str(caught.value).partition(" Try ")
    assert said + tried == message


# --- call -----------------------------------------------------------------------------------------
PARAMS = {"w": np.zeros(2)}
DATA = {"x": np.ones((3, 2))}


def call(params=PARAMS, data=DATA, **options):
    return scg.compile(graph())(params, data=data, **({"seed": 1} | options))


def positive_definite(check_finite=False, backend="numpy", **params):
    """A law whose scale is a parameter, one whose scale is computed, and two observations."""
    g = scg.Graph("laws")
    batch = scg.Plate("batch")
    s = g.parameter("s", 1.0)
    w = g.parameter("w", 1.0)
    z = g.sample("z", scg.Normal(0.0, s))
    y = g.sample("y", scg.Normal(z, s * w))
    seen, there = g.data("seen", plates=batch), g.data("there", plates=batch)
    g.observe("coin", scg.Bernoulli(logits=y), seen, mask=there)
    g.deterministic("root", np.sqrt(w))
    g.cost("size", g.named("root") * np.ones(()))
    data = {"seen": [0.0, 1.0], "there": [1.0, 1.0]}
    data |= {name: params.pop(name) for name in ("seen", "there") if name in params}
    step = scg.compile(g, check_finite=check_finite, backend=backend)
    return step({"s": 1.0, "w": 1.0} | params, seed=1, runs=2, data=data)


CALL = {
    "no seed": (
        lambda: call(seed=None),
        C,
        "a step needs a seed and has no default: step(params, seed=1)",
    ),
    "seed and noise": (lambda: call(noise={}), C, "give either seed= or noise=, not both"),
    "negative seed": (
        lambda: call(seed=-1),
        C,
        "a seed must not be negative, got -1; write e.g. 1",
    ),
    "float seed": (
        lambda: call(seed=1.5),
        C,
        "a seed is an integer or a tuple of integers, got 1.5, a float; write e.g. seed=1 or "
        "seed=(1, step)",
    ),
    "empty seed": (
        lambda: call(seed=()),
        C,
        "the seed is an empty tuple; write e.g. seed=(1, step)",
    ),
    "seed of initial parameters": (
        lambda: graph().init(seed=None),
        C,
        "a seed is an integer or a tuple of integers, got None, a NoneType; write e.g. seed=1 "
        "or seed=(1, step)",
    ),
    "mean of an empty batch": (
        lambda: call(data={"x": np.ones((0, 2))}),
        C,
        "plate 'batch' has no elements, so that cost 'loss' has no mean over it. Leave the call "
        "out, or sum the costs: scg.Plate('batch', reduce=\"sum\")",
    ),
    "batch statistic of an empty batch": (
        lambda: of_nothing(scg.plate_mean),
        C,
        "plate 'batch' has no elements, so that there is no mean over it. Leave the call out",
    ),
    "bound of no particles": (
        lambda: of_nothing(scg.iwae),
        C,
        "plate 'batch' has no elements, so that there is no logsumexp over it. Leave the call out",
    ),
    "data of complex numbers": (
        lambda: call(data={"x": 1j * np.ones((3, 2))}),
        C,
        "data 'x': expected real numbers, got an array of dtype complex128",
    ),
    "data of another size": (
        lambda: two_data(x=np.ones(3), y=np.ones(2)),
        C,
        "data 'y' has 2 elements on plate 'batch', but data 'x' has 3",
    ),
    "floats for integers": (
        lambda: two_data(x=np.ones(3), y=np.ones(3), k=np.ones(3)),
        C,
        "data 'k': declared as integers, got an array of dtype float64",
    ),
    "plate without data": (
        lambda: scg.compile(nowhere())({"s": 1.0}, seed=1),
        C,
        "plate 'batch' has no size: no data lie on it. Write scg.Plate('batch', length=...)",
    ),
    "parameter outside its constraint": (
        lambda: scg.compile(nowhere(3))({"s": -1.0}, seed=1),
        C,
        "parameter 's' must be positive, got -1.",
    ),
    "no runs": (lambda: call(runs=0), C, "runs must be a positive integer, got 0"),
    "parameter missing": (
        lambda: call({}),
        C,
        "parameter 'w' is missing; the graph declares 'w'",
    ),
    "parameter unknown": (
        lambda: call(PARAMS | {"v": 1.0}),
        C,
        "unknown parameter 'v'; the graph declares 'w'",
    ),
    "parameter of another shape": (
        lambda: call({"w": np.zeros(3)}),
        C,
        "parameter 'w': expected shape (2,), got (3,)",
    ),
    "parameter of text": (
        lambda: call({"w": ["a", "b"]}),
        C,
        "parameter 'w': expected real numbers, got an array of dtype <U1",
    ),
    "parameters in a list": (
        lambda: call([np.zeros(2)]),
        C,
        "parameter: expected a mapping from names to arrays, got list",
    ),
    "data missing": (
        lambda: call(data={}),
        C,
        "data 'x' is missing; the graph declares 'x'; write data={'x': ...}",
    ),
    "data without the plate": (
        lambda: call(data={"x": np.ones(2)}),
        C,
        "data 'x': expected shape (batch, 2), got (2,)",
    ),
    "unknown keyword": (lambda: call(y=1.0), C, "unknown data 'y'; the graph declares 'x'"),
    "noise missing": (
        lambda: scg.compile(graph(), scg.ScoreFunction())(PARAMS, noise={}, data=DATA),
        C,
        "noise 'b/u' is missing; step.noise(seed=...) returns all of it",
    ),
    "state of an unknown node": (
        lambda: call(state={"c": {}}),
        C,
        "state of node 'c': its estimator keeps none; leave it out",
    ),
    "scale given and negative": (
        lambda: positive_definite(s=-1.0),
        C,
        "node 'z' (Normal): scale must be positive, got -1.",
    ),
    "scale computed and negative": (
        lambda: positive_definite(w=-0.5, check_finite=True),
        C,
        "node 'y' (Normal): scale must be positive, got -0.5",
    ),
    "scale computed and negative, compiled": (
        lambda: positive_definite(w=-0.5, check_finite=True, backend="numba"),
        C,
        "node 'y' (Normal): scale must be positive, got -0.5",
    ),
    "observation outside the support": (
        lambda: positive_definite(seen=[0.0, 0.5]),
        C,
        "observation 'coin': the value must be 0 or 1, got 0.5 at index 1",
    ),
    "a cost that is not finite": (
        lambda: not_finite({"v": -1.0}),
        C,
        "cost 'loss' is not finite in run 0; the first node that is not is node 'ratio' of shape "
        "() = log(-1.) = nan",
    ),
    "a gradient that is not finite": (
        lambda: not_finite({"v": 1e-320}),
        C,
        "the gradient of 'v' is not finite in run 0; the first node that is not is node "
        "divide(...) of shape () = divide(1., 1.e-320) = inf",
    ),
    "parameters that are not finite": (
        lambda: not_finite({"v": np.inf}),
        C,
        "cost 'loss' is not finite in run 0; the first node that is not is node 'v' of shape () "
        "= inf",
    ),
    "intervention on a parameter": (
        lambda: graph().simulate(PARAMS, nodes=["b"], do={"w": 1.0}, seed=1, data=DATA),
        C,
        "do: 'w' is a parameter node; interventions are made on stochastic and deterministic "
        "nodes; give its value in params",
    ),
    "intervention with a NaN": (
        lambda: graph().simulate(PARAMS, nodes=["loss"], do={"b": np.nan}, seed=1, data=DATA),
        C,
        "do: the value of node 'b' has a NaN",
    ),
    "simulation of more runs than a seed has": (
        lambda: graph().simulate(PARAMS, nodes=["b"], seed=1, data=DATA, runs=2**40),
        C,
        "one seed has 2**32 runs, got runs=1099511627776; take several seeds, e.g. seed=(1, 0)",
    ),
    "simulation of an unknown node": (
        lambda: graph().simulate(PARAMS, nodes=["bb"], seed=1, data=DATA),
        C,
        "graph 'toy' has no node 'bb'; did you mean 'b'?",
    ),
    "initializer of another shape": (
        lambda: wrongly_initialised().init(seed=0),
        C,
        "parameter 'v': its initializer returned shape (3,), expected (2,)",
    ),
    "truth of a continuous node": (
        lambda: scg.exact(opaque(), {"mu": 0.0}),
        scg.EnumerationError,
        "node 'z' (Normal) has no finite support, so that the truth cannot be enumerated. Compare "
        "with a large number of runs: scg.check(step, params, seed=0)",
    ),
}


def of_nothing(reduce):
    g = scg.Graph("statistic")
    batch = scg.Plate("batch", reduce="sum")
    g.cost("loss", reduce(g.parameter("w", 1.0) * g.data("x", plates=batch), batch))
    return scg.compile(g)({"w": 1.0}, seed=1, x=[])


def two_data(**data):
    g = scg.Graph("two")
    batch = scg.Plate("batch")
    x, y = (g.data(name, plates=batch) for name in "xy")
    k = g.data("k", kind="int", plates=batch)
    g.cost("loss", x + y + k)
    return scg.compile(g)({}, seed=1, data={"k": [0, 1, 2]} | data)


def nowhere(length=None):
    g = scg.Graph("nowhere")
    s = g.parameter("s", 1.0, constraint=scg.positive)
    g.cost("loss", g.sample("z", scg.Normal(0.0, s), plates=scg.Plate("batch", length=length)))
    return g


def not_finite(params):
    g = scg.Graph("ratio")
    ratio = g.deterministic("ratio", np.log(g.parameter("v", 1.0)))
    g.cost("loss", ratio + 1.0)
    return scg.compile(g, check_finite=True)(params, seed=1)


def wrongly_initialised():
    g = scg.Graph()
    g.parameter("v", shape=2, init=lambda rng, shape: np.zeros(3))
    return g


@pytest.mark.parametrize("row", CALL)
def test_call(row):
    run, kind, message = CALL[row]
    with pytest.raises(kind) as caught:
        run()
    assert str(caught.value) == message


def test_the_table_has_at_least_sixty_rows():
    assert len(DECLARE) + len(COMPILE) + len(CALL) >= 60


# --- what is not an error -------------------------------------------------------------------------
def test_a_mask_hides_what_lies_outside_the_support():
    for check_finite in (False, True):
        out = positive_definite(seen=[1.0, 0.5], there=[True, False], check_finite=check_finite)
        alone = positive_definite(seen=[1.0], there=[True], check_finite=check_finite)
        assert out.cost == alone.cost


def test_a_sum_over_an_empty_batch_is_zero():
    g = scg.Graph("toy")
    batch = scg.Plate("batch", reduce="sum")
    w = g.parameter("w", np.ones(2))
    b = g.sample("b", scg.Bernoulli(logits=g.data("x", shape=2, plates=batch) @ w))
    g.cost("loss", scg.plate_sum(b, batch) ** 2 + 1.0)
    g.cost("each", (b - 0.4) ** 2)
    out = scg.compile(g, scg.ScoreFunction())({"w": np.ones(2)}, seed=1, x=np.ones((0, 2)))
    assert out.cost == 1.0 and not out.grads["w"].any()


def test_check_finite_changes_no_value():
    plain, checked = (positive_definite(check_finite=c) for c in (False, True))
    assert plain.cost == checked.cost
    assert plain.grads == checked.grads


NASTY = ['a"b', "a'b", "a`b", "__import__('os').system('true')", "a; b", "a\\", "{x}", "%s", "λ"]


def test_names_never_reach_generated_source():
    g = scg.Graph('"""')
    total = 0.0
    for i, name in enumerate(NASTY):
        p = g.parameter(name, 0.1 * i)
        b = g.sample(
            name + " b", scg.Bernoulli(logits=p), plates=scg.Plate(name + " plate", length=2)
        )
        total = total + g.deterministic(name + " d", scg.plate_mean(b, b.plates) ** 2)
    g.cost("'cost'", total)
    params = g.init(seed=0)
    step = scg.compile(g, scg.ScoreFunction(), backend="numba")
    for name in NASTY[:-1]:
        assert name not in step.source
    same = scg.compile(g, scg.ScoreFunction())(params, seed=1)
    np.testing.assert_allclose(step(params, seed=1).cost, same.cost, rtol=1e-12)


def test_messages_are_one_line():
    for row in (*DECLARE.values(), *COMPILE.values(), *CALL.values()):
        assert "\n" not in row[2]


def test_what_messages_ask_to_install_is_this_distribution():
    """`scg` on the package index is an unrelated tool."""
    texts = [p.read_text() for p in Path(scg.__file__).parent.rglob("*.py")]
    found = re.findall(r"pip install '(\w+)\[(\w+)\]'", "".join(texts))
    config = configparser.ConfigParser()
    config.read(Path(scg.__file__).parents[1] / "setup.cfg")
    assert {name for name, _ in found} == {config["metadata"]["name"]} == {"scgrad"}
    assert {extra for _, extra in found} <= config["options.extras_require"].keys()
