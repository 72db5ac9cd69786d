"""The course: surrogates of five graphs, sampled variances, pictures and the parts of lessons."""

import itertools
import json
import re
from pathlib import Path

import numpy as np
import pytest
from course import curves, pictures, toys
from scipy import stats
from scipy.special import expit, logit

import scg

FOLDER = Path(curves.__file__).parent
LESSONS = sorted(FOLDER.glob("[01]*.md"))
KNOWN = json.loads(curves.FILE.read_text(encoding="utf-8"))
T, THETAS = toys.TARGET, curves.THETAS


COSINE, KS = curves.COSTS["cos(k x)"]


# --- a million draws ------------------------------------------------------------------------------
#: Points of curves with the estimators that they are of: picture, curve, panel, position.
DRAWN = {
    ("score", "variance", 0, 20): (toys.coin, scg.ScoreFunction(), {"theta": THETAS[20]}),
    ("parabola", "leave-one-out, K = 2", 1, 8): (
        toys.coin, scg.LeaveOneOut(2), {"theta": THETAS[8]},
    ),
    ("depth", "MuProp, single pass", 1, 6): (lambda: toys.chain(7), scg.MuProp(), curves.HERE),
    ("depth", "MuProp, rollout", 1, 2): (
        lambda: toys.chain(3), scg.MuProp(mean_field="rollout"), curves.HERE,
    ),
    ("credit", "cost to go", 0, 3): (
        lambda: toys.chain(4, "each"), scg.ScoreFunction(), curves.HERE,
    ),
    ("sharing", "local expectation", 1, 25): (
        lambda: toys.match(True), scg.RAM(), {"theta": THETAS[25]},
    ),
    ("antithetic", "ARMS, K = 4", 0, 10): (
        toys.coin, scg.ARMS(4), {"theta": logit(curves.PROBS[10])},
    ),
    ("target", "REBAR, τ = 1", 0, 15): (
        toys.aimed, scg.REBAR(1.0, learn=False), curves.HERE, {"t": curves.TARGETS[15]},
    ),
    ("grid", "pathwise", 2, 12): (
        lambda: toys.normal(COSINE, "mu"), scg.Reparameterization(), {"mu": 1.0}, {"k": KS[12]},
    ),
    ("grid", "score function", 5, 12): (
        lambda: toys.normal(COSINE, "sigma"), scg.ScoreFunction(), {"sigma": 1.0}, {"k": KS[12]},
    ),
}  # fmt: skip


@pytest.mark.parametrize("point", DRAWN, ids=lambda p: f"{p[0]}-{p[1]}")
def test_a_million_draws(point):
    """Variances of 20 batches: their mean against the exact one, by a t-test at 1e-8 each."""
    picture, name, panel, position = point
    graph, estimator, params, *data = DRAWN[point]
    step = scg.compile(graph(), estimator)
    (learned,) = params
    given = data[0] if data else None
    outs = [step(params, seed=(7, batch), runs=50_000, data=given) for batch in range(20)]
    found = np.array([out.stderr[learned] ** 2 * out.runs for out in outs])
    exact = KNOWN[picture][panel]["curves"][name][position]
    t = (found.mean() - exact) / (found.std(ddof=1) / np.sqrt(20))
    assert abs(t) < stats.t.isf(0.5e-8, 19)
    assert found.std(ddof=1) / np.sqrt(20) < 0.01 * found.mean()  # it would see 10 %


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
