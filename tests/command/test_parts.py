"""Estimators as text, charts."""

import base64
import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

import scg
from scg.command.charts import bars, curves, image_grid
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
        ("MovingAverage", "is not an estimator; known are auto"),
        ("MuProp(scale=open('x'))", "there is no estimator 'open'"),
        ("a=MuProp, LeaveOneOut", "write it as LeaveOneOut|there is no"),
    ],
)
def test_texts_that_name_no_estimator(text, message):
    with pytest.raises(scg.EstimatorError, match=message):
        parse_estimator(text)


def test_charts_are_well_formed_and_in_order():
    svg = curves({"a<b": [(0, 1.0), (5, 3.0)], "flat": [(0, 2.0), (5, 2.0)]}, "epoch", "nats")
    assert "a<b" in [node.text for node in ET.fromstring(svg).iter() if node.text]
    shown = [node.text for node in ET.fromstring(bars({"x": 1e-3, "y": 0.1}, "variance")).iter()]
    assert [text for text in shown if text in ("1.00e-03", "1.00e-01")] == ["1.00e-03", "1.00e-01"]
    assert "nan" not in curves({"one": [(1, 1.0)]}, "x", "y")


def test_images_are_one_png():
    found = image_grid(np.zeros((13, 4)), 2, "two rows")
    data = re.fullmatch(r'<img src="data:image/png;base64,(.*?)" alt="two rows" .*>', found)
    assert base64.b64decode(data[1]).startswith(b"\x89PNG\r\n\x1a\n")
