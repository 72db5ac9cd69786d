"""Estimators as text, charts."""

import re
import struct
import xml.etree.ElementTree as ET
import zlib

import numpy as np
import pytest

import scg
from scg.command.charts import bars, curves, image_grid, png
from scg.command.estimators import parse_estimator


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
        ("MuProp(size=3)", "MuProp has no argument 'size'; it takes mean_field, scale"),
        ("LeaveOneOut(1)", "samples must be an integer"),
        ("MovingAverage", "is no estimator; known are auto"),
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
