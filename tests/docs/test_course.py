"""The course: surrogates of five graphs, sampled variances, pictures and the parts of lessons."""

import itertools
import json
import re
from pathlib import Path

import numpy as np
import pytest
from course import curves, draws, pictures, toys
from scipy import stats
from scipy.special import expit

import scg

FOLDER = Path(curves.__file__).parent
LESSONS = sorted(FOLDER.glob("[01]*.md"))
KNOWN = json.loads(curves.FILE.read_text(encoding="utf-8"))
T = toys.TARGET


# --- a million draws ------------------------------------------------------------------------------
DRAWN = json.loads(draws.FILE.read_text(encoding="utf-8"))
LIMIT = stats.t.isf(draws.LEVEL / 2, draws.BATCHES - 1)


def test_each_curve_has_a_million_draws_that_agree_with_it():
    """A t-test of 20 batches at 1e-8 for each of 67 curves: 7e-7 in all."""
    every = {
        (picture, panel, name)
        for picture, panels in KNOWN.items()
        for panel, own in enumerate(panels)
        for name in own["curves"]
    }
    points = {key: point.position for key, point in draws.points()}
    assert points.keys() == every - draws.FIXED and len(points) == len(DRAWN) == 67
    scores, precise = {}, 0
    for (picture, panel, name), position in points.items():
        found = DRAWN[f"{picture}|{panel}|{name}"]
        exact = KNOWN[picture][panel]["curves"][name][position]
        assert found["position"] == position and found["stderr"] > 0
        scores[name] = (found["found"] - exact) / found["stderr"]
        precise += found["stderr"] < 0.01 * abs(exact)  # it would see 10 %
    assert max(map(abs, scores.values())) < LIMIT, scores
    assert precise >= 61


@pytest.mark.parametrize("turn", range(0, 67, 7))
@pytest.mark.filterwarnings("ignore::scg.BiasWarning")
def test_the_recorded_draws_are_those_of_the_script(turn):
    """The first 50,000 runs of each seventh point."""
    (picture, panel, name), point = [*draws.points()][turn]
    first = DRAWN[f"{picture}|{panel}|{name}"]["first"]
    assert draws.drawn(point, batches=1)[0] == pytest.approx(first, rel=1e-9)


# --- Schulman's graphs ----------------------------------------------------------------------------
def first(b, h=0.4):
    """Score of a coin with the logit h."""
    return b - expit(h)


SLOPE = 1 - np.tanh(0.4) ** 2
FORMULAS = {
    1: lambda y: SLOPE * first(y, np.tanh(0.4)) * (y - T) ** 2,
    2: lambda x: first(x) * (2 * x - 0.3 - T) ** 2,
    3: lambda x, y: first(x) * (y - T) ** 2,
    4: lambda x: first(x) * (x - np.tanh(0.4)) ** 2 - 2 * (x - np.tanh(0.4)) * SLOPE,
    5: lambda x1, x2: (
        first(x1) * ((x1 - T) ** 2 + (x2 - T) ** 2)
        + first(x2, 0.4 + 2.0 * (x1 - 0.5)) * (x2 - T) ** 2
    ),
}


@pytest.mark.parametrize("number", FORMULAS)
def test_surrogates_are_schulmans_formulas(number):
    """Outcome by outcome: a coin is 1 where its uniform lies below p."""
    step, formula = scg.compile(toys.schulman(number), scg.ScoreFunction()), FORMULAS[number]
    leaves = step.noise(seed=0, runs=1)
    for b in itertools.product((0, 1), repeat=len(leaves)):
        ends = [1e-9 if x else 1 - 1e-9 for x in b]
        pairs = zip(leaves.items(), ends, strict=True)
        noise = {name: np.full_like(leaf, end) for (name, leaf), end in pairs}
        coins = dict(zip((name.partition("/")[0] for name in leaves), b, strict=True))
        found = step({"theta": 0.4}, noise=noise).grads["theta"]
        np.testing.assert_allclose(found, formula(**coins), rtol=1e-12)


def test_each_picture_is_shown_and_described():
    images = re.compile(r"!\[(.*?)\]\(pictures/(\w+)\.svg\)")
    found = [pair for lesson in LESSONS for pair in images.findall(lesson.read_text("utf-8"))]
    shown = {name: text for text, name in found}
    files = {path.stem for path in (FOLDER / "pictures").glob("*.svg")}
    assert set(shown) == files == {*curves.PICTURES, *pictures.OWN, *pictures.DRAWN}
    assert set(KNOWN) == set(curves.PICTURES)
    assert all(len(text) > 70 and re.search(r"\d", text) for text in shown.values())
    for name in files:
        svg = (FOLDER / "pictures" / f"{name}.svg").read_text("utf-8")
        assert re.search("prefers-color-scheme: ?dark", svg)
        assert ("currentColor" in svg) == (name not in pictures.DRAWN)
        (rules,) = re.findall("<style[^>]*>(.*?)</style>", svg, re.S)  # for itself alone
        assert rules.startswith(".scg-picture" if name in pictures.DRAWN else "svg:root")
        assert "<image" not in svg


def test_each_lesson_has_its_parts():
    assert len(LESSONS) == 10
    for lesson in LESSONS:
        text = lesson.read_text("utf-8")
        parts = re.findall(r"^## (.*)$", text, re.M)
        assert parts == ["Derivation", "Curves", "A classic mistake", "Exercise", "Read on"], lesson
        assert text.count("<summary>Solution</summary>") == 1
        assert re.search(r"^not yet: ", text, re.M)
        assert re.search(r"^right: ", text, re.M)
