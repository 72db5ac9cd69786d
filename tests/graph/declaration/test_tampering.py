"""A declaration that was tampered with is a graph that computes, or one clear error."""

import copy
import inspect
import json

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import scg
from scg.compiler.differentiate import gradients
from scg.engine.interpreter import Interpreter
from scg.graph.declaration.attributes import applicable, check_application
from scg.ir.op import OPS, PLATE_SIZE
from scg.ir.walk import topological
from scg.ops.decompositions import solve_triangular

ROWS, COLUMNS = 2, 3


def whole():
    """A graph that has most ops with attributes, and laws, parameters and plates of all kinds."""
    g = scg.Graph("whole")
    batch = scg.Plate("batch", length=2)
    x = g.data("x", shape=3, plates=batch)
    k = g.data("k", shape=2, kind="int", plates=batch)
    W = g.parameter("W", shape=(3, 2), init=scg.init.normal(0.3))
    square = g.parameter("square", np.eye(3))
    image = g.data("image", shape=(1, 4, 4))
    s = g.parameter("s", 0.5, constraint=scg.positive)
    with g.scope("inner"):
        z = g.sample("z", scg.Normal(np.tanh(x @ W), s))
        c = g.sample("c", scg.Categorical(logits=x))
        m = g.sample("m", scg.Mixture([scg.Normal(s, 1.0), scg.Laplace(0.0, s)], logits=W[:2, 0]))
        b = g.sample("b", scg.Independent(scg.Gamma(s * np.ones((2, 3)), 1.0), 1))
    rows = square[k] + np.take_along_axis(square, np.argsort(square, 0), 0)[:2]
    solved = solve_triangular(square + 3 * np.eye(3), rows.T)
    pooled = scg.max_pool(scg.conv2d(image, np.ones((1, 1, 2, 2)), padding=1), 2)
    moved = np.flip(np.roll(np.pad(rows, 1), 1), 0)[1:, ::2]
    total = (
        np.sum(np.cumsum(z[::-1])[:1] ** 2)
        + np.sum(scg.one_hot(c, 3) * scg.softmax(x))
        + np.linalg.norm(solved)
        + np.sum(pooled)
        + np.sum(np.tile(moved, (1, 2)).T.reshape(-1)[:4])
        + np.max(np.sort(np.concatenate([z, x])))
        + np.einsum("ij,jk->", rows, square) * scg.polygamma(s, order=1)
        + gradients(np.sum(square[:1, ::-1] ** 2), [square])[0][0, 0]
        + scg.logsumexp(b) * m
        + m.log_prob()
        + c.log_prob()
    )
    g.deterministic("total", total)
    g.cost("loss", total / scg.plate_mean(x[0] ** 2, batch), mask=x[0] > 0)
    g.cost("bound", scg.plate_logsumexp(total, batch))
    return json.loads(g.to_json())


WHOLE = whole()
SMALL = st.none() | st.booleans() | st.integers(-4, 5) | st.floats() | st.text(max_size=2)
JSON = st.recursive(
    SMALL | st.sampled_from([10**6, 10**12, -(10**30), 1e308, "x", "#1", "W", "add", "batch"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)


def places(value, path=()):
    """Every path into nested lists and objects."""
    yield path
    keys = (
        value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    )
    for key in keys:
        yield from places(value[key], (*path, key))


def at(value, path):
    for key in path:
        value = value[key]
    return value


ATTRIBUTES = [
    p for p in places(WHOLE) if {"attrs", "args", "static", "shape", "plates"} & set(p[2:])
]


def tampered(declaration, draw):
    """Change one place: another value, one from elsewhere, another number, nothing, or twice."""
    paths = [p for p in places(declaration) if p]
    near = [p for p in ATTRIBUTES if p in set(paths)]
    *path, last = draw(st.sampled_from(near if near and draw(st.booleans()) else paths))
    inner = at(declaration, path)
    change = draw(st.sampled_from(["json", "elsewhere", "number", "delete", "twice"]))
    if change == "delete":
        del inner[last]
    elif change == "twice" and isinstance(inner, list):
        inner.append(inner[last])
    elif change == "elsewhere":
        inner[last] = copy.deepcopy(at(declaration, draw(st.sampled_from(paths))))
    elif change == "number" and isinstance(inner[last], int):
        inner[last] = draw(st.sampled_from([inner[last] + 1, inner[last] - 1, -inner[last], 7]))
    else:
        inner[last] = draw(JSON)


def computes(graph):
    """Every expression of a graph has the shape that it says, whatever the numbers."""
    order = topological(node for node, _ in graph.roles.values())
    plates = {plate for expr in order for plate in expr.plates}
    plates |= {expr.attrs["plate"] for expr in order if expr.op is PLATE_SIZE}
    sizes = {plate: plate.length or ROWS for plate in plates}
    drawn = set()
    for expr in order:
        if expr.op.name == "sample" or not drawn.isdisjoint(expr.args):
            drawn.add(expr)
    exprs = [expr for expr in order if expr not in drawn]
    engine = Interpreter(dict(enumerate(exprs)))
    leaves = {
        leaf: np.zeros(
            (*(sizes[p] for p in leaf.plates), *leaf.shape), int if leaf.kind == "int" else float
        )
        for leaf in engine.leaves
    }
    with np.errstate(all="ignore"):
        out = engine.run(leaves, sizes)
    for i, value in out.items():
        expected = (*(sizes[p] for p in exprs[i].plates), *exprs[i].shape)
        assert np.broadcast_shapes(np.shape(value), expected) == expected, exprs[i]
        assert np.shape(value)[np.ndim(value) - exprs[i].ndim :] == exprs[i].shape, exprs[i]


def test_the_whole_is_a_graph_that_computes():
    computes(scg.Graph.from_json(WHOLE))


@settings(max_examples=60)
@given(st.data())
def test_any_change_is_a_graph_or_a_declaration_error(data):
    declaration = copy.deepcopy(WHOLE)
    for _ in range(data.draw(st.integers(1, 3))):
        tampered(declaration, data.draw)
    try:
        graph = scg.Graph.from_json(declaration)
    except scg.DeclarationError as error:
        assert str(error).startswith("declaration: ") and "\n" not in str(error)
    else:
        computes(graph)


@settings(max_examples=30)
@given(st.data())
@example(None)
def test_any_change_of_the_text_is_a_graph_or_a_declaration_error(data):
    text = json.dumps(WHOLE)
    if data is not None:
        start = data.draw(st.integers(0, len(text) - 1))
        stop = data.draw(st.integers(start, min(start + 6, len(text))))
        text = text[:start] + data.draw(st.text('[]{}",:0123456789-e#xW', max_size=4)) + text[stop:]
    try:
        computes(scg.Graph.from_json(text))
    except scg.DeclarationError as error:
        assert "\n" not in str(error)


def attributes(op):
    """Names of the attributes that an op reads: of its shape rule, or of its VJP if elementwise."""
    count = 0 if callable(op.vjps) else len(op.vjps)
    if op.elementwise:
        rule = next(filter(None, op.vjps), None)
        return set(list(inspect.signature(rule).parameters)[count + 2 :]) if rule else set()
    parameters = inspect.signature(op.shape).parameters.values()
    return {
        p.name
        for i, p in enumerate(parameters)
        if p.default is p.empty and (p.kind is p.KEYWORD_ONLY or (i >= count > 0 and p.kind < 2))
    }


def test_every_attribute_of_every_op_is_checked():
    """Otherwise: `attributes` of the op, see scg/ops/attributes.py."""
    for name, op in OPS.items():
        if applicable(op):
            assert attributes(op) <= set(op.attributes), name


def bomb(*nodes):
    names = dict(enumerate(nodes))
    return {"nodes": {"x": {"data": {"shape": 1000}}} | {f"n{i}": n for i, n in names.items()}}


@pytest.mark.parametrize(
    "declaration",
    [
        bomb({"parameter": {"shape": [10**6, 10**6]}}),
        bomb({"data": {"shape": [10**9]}}),
        bomb({"deterministic": "tile(tile(x, 1000), 1000)"}),
        bomb({"deterministic": "diag(tile(x, 1000))"}),
        bomb({"deterministic": "tril(outer(tile(x, 1000), tile(x, 1000)))"}),
        bomb({"deterministic": "sum(repeat(x, 1000000))"}),
        bomb({"deterministic": "tanh(tile(x, 1000000)) * 2"}),
        {
            "plates": {"p": {"length": 10**7}},
            "nodes": {"x": {"data": {"shape": 10**6, "plates": ["p"]}}},
        },
        {
            "nodes": {
                "x": {"data": {"shape": [1]}},
                "#1": {"op": "expand", "args": ["x"], "attrs": {"plates": [], "shape": [10**9]}},
            }
        },
    ],
)
def test_memory_bombs_are_refused_before_they_burst(declaration):
    with pytest.raises(scg.DeclarationError, match="elements, more than a declaration may ask"):
        scg.Graph.from_json(declaration)


def test_an_op_is_applied_to_what_it_takes():
    g = scg.Graph()
    x, k = g.data("x", 3), g.data("k", kind="int")
    for op, args, attrs, message in (
        ("add", (x,), {}, "add: expected 2 arguments, got 1"),
        ("concatenate", (), {"axis": -1}, "concatenate: expected some arguments, got 0"),
        ("exp", (x,), {"axis": -1}, r"exp: expected the attributes \[\], got \['axis'\]"),
        ("gather", (x, x[0]), {"rank": 1, "index_rank": 0}, "gather: expected integers, got node"),
        ("gather", (x, k), {"rank": 2, "index_rank": 0}, "attribute 'rank': expected 1, got 2"),
        ("sum", (x,), {"axes": (-2,), "over": ()}, "expected increasing axes from -1 to -1"),
        ("transpose", (x,), {"axes": (0,)}, "expected each axis from -1 to -1 once, got"),
        ("slice", (x,), {"index": (5,)}, "expected positions or .start, stop, step. in an event"),
        ("polygamma", (x,), {"order": 99}, "attribute 'order': expected 0 to 8, got 99"),
    ):
        with pytest.raises(scg.DeclarationError, match=message):
            check_application(OPS[op], args, attrs)
