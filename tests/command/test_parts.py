"""JSON declarations, estimators as text, charts."""

import re
import struct
import xml.etree.ElementTree as ET
import zlib

import numpy as np
import pytest

import scg
from scg.command.charts import bars, curves, image_grid, png
from scg.command.declaration import declare
from scg.command.estimators import parse_estimator


def test_a_declaration_is_the_graph_written_in_python():
    nodes = {
        "loss": {"cost": "sum((h - y) ** 2) + h.log_prob() - 3 * z[0]"},
        "h": {"sample": "Bernoulli(logits=x @ W + theta)"},
        "y": {"deterministic": "where(x[:2] > 0.5, 1.0, -tanh(z))"},
        "z": {"sample": "Normal(loc=[0.0, 1.0], scale=1.0)", "plates": ["batch"]},
        "W": {"parameter": {"shape": [4, 2], "init": "glorot_uniform"}},
        "theta": {"parameter": {"value": [0.4, -0.2]}},
        "x": {"data": {"shape": [4], "plates": ["batch"]}},
    }
    found = declare({"name": "toy", "plates": {"batch": {"reduce": "sum"}}, "nodes": nodes})

    g = scg.Graph("toy")
    batch = scg.Plate("batch", reduce="sum")
    x = g.data("x", shape=(4,), plates=batch)
    weights = g.parameter("W", shape=(4, 2), init=scg.init.glorot_uniform)
    h = g.sample("h", scg.Bernoulli(logits=x @ weights + g.parameter("theta", [0.4, -0.2])))
    z = g.sample("z", scg.Normal(np.array([0.0, 1.0]), 1.0), plates=batch)
    y = np.where(x[:2] > 0.5, 1.0, -np.tanh(z))
    g.cost("loss", np.sum((h - y) ** 2) + h.log_prob() - 3 * z[0])

    data = {"x": np.random.default_rng(0).random((3, 4))}
    both = [
        scg.compile(graph, estimator={"h": scg.MuProp()})(graph.init(0), seed=1, runs=3, data=data)
        for graph in (found, g)
    ]
    assert both[0].cost == both[1].cost
    for name in ("W", "theta"):
        np.testing.assert_array_equal(both[0].grads[name], both[1].grads[name])


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        ({"a": {"cost": "b"}, "b": {"deterministic": "a"}}, "a cycle: "),
        ({"a": {"cost": "1 +"}}, "node 'a': invalid syntax: '1 \\+'"),
        ({"a": {"cost": 3}}, "node 'a': expected an expression in quotes, got 3"),
        ({"a": {"price": "1"}}, "node 'a': unknown entry 'price'"),
        ({"a": {"cost": "1.0", "data": {}}}, "node 'a': expected one of parameter, data"),
        ({"a": {"sample": "Bernoulli(probs=0.5)", "plates": ["p"]}}, "node 'a': no plate 'p'"),
        ({"a": {"sample": "Bernoulli(p=0.5)"}}, "node 'a': .*unexpected keyword"),
        ({"a": {"parameter": {"shape": [2], "init": "magic"}}}, "zeros or glorot_uniform"),
        ({"a": {"cost": "open('x')"}}, "uses 'open', which is not declared"),
        ({"a": {"cost": "exp.__self__"}}, "not allowed|node 'a'"),
        ({"a": {"cost": "[c for c in [1]]"}}, "not allowed|not declared"),
        ({"a": {"cost": "(lambda: 1)()"}}, "not allowed"),
    ],
)
def test_declarations_that_are_refused(nodes, message):
    with pytest.raises(scg.DeclarationError, match=f"m.json: .*({message})") as caught:
        declare({"nodes": nodes}, "m.json")
    assert "\n" not in str(caught.value)


def test_estimators_as_text():
    assert parse_estimator("auto") is None
    assert repr(parse_estimator("LEAVEONEOUT(8)")) == repr(scg.LeaveOneOut(8))
    nested = parse_estimator("MuProp(scale=0.5, baseline=MovingAverage(0.7))")
    expected = scg.MuProp(scale=0.5, baseline=scg.baselines.MovingAverage(0.7))
    assert repr(nested) == repr(expected)
    per_node = parse_estimator(
        "a=MuProp(scale=0.5), b=ScoreFunction(baseline=Network(hidden=(5,)))"
    )
    assert {name: type(value) for name, value in per_node.items()} == {
        "a": scg.MuProp,
        "b": scg.ScoreFunction,
    }
    assert per_node["b"].baseline.hidden == (5,)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Magic", "there is no estimator 'Magic'; known are auto, "),
        ("MuProp(", "write it as LeaveOneOut"),
        ("MuProp(size=3)", "unexpected keyword argument 'size'"),
        ("LeaveOneOut(1)", "samples must be an integer"),
        ("MovingAverage", "is none; known are auto"),
        ("MuProp(scale=open('x'))", "there is no estimator 'open'"),
        ("a=MuProp, LeaveOneOut", "write it as LeaveOneOut|there is no"),
    ],
)
def test_texts_that_name_no_estimator(text, message):
    with pytest.raises(scg.EstimatorError, match=message):
        parse_estimator(text)


def test_png_holds_the_pixels():
    grey = np.arange(15, dtype=np.uint8).reshape(3, 5) * 10
    content = png(grey)
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", content[16:24])
    assert (height, width) == grey.shape
    size = struct.unpack(">I", content[33:37])[0]
    rows = np.frombuffer(zlib.decompress(content[41 : 41 + size]), np.uint8).reshape(3, 6)
    np.testing.assert_array_equal(rows[:, 1:], grey)
    assert not rows[:, 0].any()  # no filter


def test_charts_are_well_formed_and_in_order():
    svg = curves({"a<b": [(0, 1.0), (5, 3.0)], "flat": [(0, 2.0), (5, 2.0)]}, "epoch", "nats")
    root = ET.fromstring(svg)
    assert "a<b" in [node.text for node in root.iter() if node.text]
    lengths = re.findall(r'width="([\d.]+)" height="22"', bars({"x": 1e-3, "y": 1e-1}, "variance"))
    assert float(lengths[0]) < float(lengths[1])
    assert ET.fromstring(bars({"x": 2.0}, "one")) is not None
    flat = curves({"one": [(1, 1.0)]}, "x", "y")
    assert "nan" not in flat
    assert image_grid(np.zeros((13, 4)), 2, "two rows").startswith("<img src=")
