"""The lab: its tables are exact, and its page shows them to a hand on the keyboard."""

import json
import re

import numpy as np
import pytest

import scg
from scg.command import lab
from scg.errors import CallError


@pytest.fixture(scope="module")
def small():
    """A coarse grid: the whole one is the same, and slower."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lab, "THETAS", np.array([-1.0, 0.0, 1.0]))
        patch.setattr(lab, "TARGETS", np.array([0.0, 0.25, 0.5]))
        patch.setattr(lab, "OPTIONS", {"K": [2, 3], "τ": [0.5, 1.0]})
        wanted = ("score function", "leave-one-out", "straight-through", "Gumbel-softmax")
        chosen = {name: lab.ESTIMATORS[name] for name in (*wanted, "reparameterization")}
        patch.setattr(lab, "ESTIMATORS", chosen)
        yield patch


@pytest.fixture(scope="module")
def page(small, browser, tmp_path_factory):
    path = tmp_path_factory.mktemp("lab") / "lab.html"
    lab.lab("coin", path)
    return browser.open(path)


@pytest.fixture
def fresh(page):
    page.load(page.evaluate("location.href"))
    return page


def row(page, name):
    """The numbers of a row: mean, bias, variance, evaluations, error."""
    script = f"document.querySelector('tr[data-name=\"{name}\"]').innerText"
    return [float(text) for text in page.evaluate(script).split("\t")[1:]]


def coin(theta, target):
    """Mean and variance of the score function on (b − target)², in closed form."""
    p = 1 / (1 + np.exp(-theta))
    one, zero = (1 - target) ** 2 * (1 - p), target**2 * -p
    mean = p * one + (1 - p) * zero
    return mean, p * one**2 + (1 - p) * zero**2 - mean**2


def test_a_slider_shows_the_known_numbers(fresh):
    fresh.evaluate("document.querySelector('#slider-theta').focus()")
    for presses, theta in ((0, 0.0), (20, 1.0)):
        fresh.press("ArrowRight", presses)
        mean, variance = coin(theta, 0.25)
        found = row(fresh, "score function")
        assert found == pytest.approx([mean, 0.0, variance, 1, variance / 12], rel=1e-5)
        assert fresh.evaluate("document.querySelector('#truth').innerText") == f"{mean:.6g}"
        assert "Computed" in fresh.evaluate("document.querySelector('#how').innerText")
    fresh.evaluate("document.querySelector('#slider-target').focus()")
    fresh.press("ArrowLeft", 5)
    mean, variance = coin(1.0, 0.0)
    assert row(fresh, "score function")[:3] == pytest.approx([mean, 0.0, variance], rel=1e-5)


def test_between_points_it_interpolates_and_says_so(fresh):
    fresh.evaluate("document.querySelector('#slider-theta').focus()")
    fresh.press("ArrowRight", 10)
    between = (coin(0.0, 0.25)[1] + coin(1.0, 0.25)[1]) / 2
    assert row(fresh, "score function")[2] == pytest.approx(between, rel=1e-5)
    assert "Interpolated" in fresh.evaluate("document.querySelector('#how').innerText")
    assert fresh.evaluate("document.querySelector('#truth').innerText").startswith("≈")


def test_options_and_bias(fresh):
    """Numbers of leave-one-out by K, and the bias of straight-through in closed form."""
    two = row(fresh, "leave-one-out")
    fresh.evaluate("document.querySelector('#slider-K').focus()")
    fresh.press("ArrowRight")
    three = row(fresh, "leave-one-out")
    g = lab.coin()
    params, data = lab.point(g, 0.0, 0.25)
    for k, found in ((2, two), (3, three)):
        exact = scg.moments(scg.compile(g, scg.LeaveOneOut(k)), params, data=data)
        assert found[2:4] == pytest.approx([exact.variance["theta"], k], rel=1e-5)
    fresh.evaluate("document.querySelector('#slider-theta').focus()")
    fresh.press("ArrowRight", 20)
    p = 1 / (1 + np.exp(-1.0))
    truth, mean = p * (1 - p) * 0.5, p * (1 - p) * 2 * (p - 0.25)
    found = row(fresh, "straight-through")
    assert found[:2] == pytest.approx([mean, mean - truth], rel=1e-5)


def test_picks_by_keyboard_histogram_graph_and_formula(fresh):
    fresh.evaluate("document.querySelector('input[value=\"Gumbel-softmax\"]').focus()")
    fresh.press("Space")
    names = "[...document.querySelectorAll('#rows tr')].map(r => r.dataset.name)"
    shown = ["score function", "leave-one-out", "straight-through", "Gumbel-softmax"]
    assert fresh.evaluate(names) == shown
    bars = "[...document.querySelectorAll('#bars svg')].map(s => s.querySelectorAll('rect').length)"
    assert fresh.evaluate(bars)[0] == 2 and fresh.evaluate(bars)[3] == lab.BARS
    label = fresh.evaluate("document.querySelector('#bars svg').getAttribute('aria-label')")
    assert label == "score function: -0.03125 with probability 0.5, 0.28125 with probability 0.5"
    typeset = "[...document.querySelectorAll('#formulas math')].map(m => m.textContent)"
    score, *_ = fresh.evaluate(typeset)
    assert score.replace(" ", "") == "f(b)∇θlogp(b;θ)"  # b is the coin, and no baseline
    assert "f: loss" in fresh.evaluate("document.querySelector('#formulas').innerText")
    assert "Bernoulli" in fresh.evaluate("document.querySelector('#graph').textContent")


def test_it_needs_nothing_else_and_fits_a_phone(fresh):
    assert fresh.requests == fresh.errors == []
    for dark in (False, True):
        fresh.resize(400)
        fresh.darken(dark)
        assert fresh.overflow == 0
    fresh.resize(1280)


def test_tables_are_exact(small, tmp_path):
    held = lab.lab("coin", tmp_path / "lab.html")
    assert "reparameterization" not in held["estimators"]  # it does not fit a coin
    assert held["truth"][1] == pytest.approx([coin(x, 0.25)[0] for x in lab.THETAS], rel=1e-8)
    score = held["estimators"]["score function"]["cells"][0]
    for k, target in enumerate(lab.TARGETS):
        for i, theta in enumerate(lab.THETAS):
            found = score["grid"][k][i]
            assert (found["mean"], found["variance"]) == pytest.approx(
                coin(theta, target), rel=1e-8
            )
            assert sum(p for _, p in found["bars"]) == pytest.approx(1.0, abs=1e-3)
    text = (tmp_path / "lab.html").read_text(encoding="utf-8")
    assert json.loads(re.search(r'id="data">(.*?)</script>', text, re.S)[1]) == held


def test_a_model_of_ones_own_and_what_does_not_fit(small, tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(
        "import numpy as np, scg\ndef cube():\n    '''Cubes.'''\n    g = scg.Graph('cube')\n"
        "    x = g.sample('x', scg.Normal(g.parameter('theta', 0.0), 1.0))\n"
        "    g.cost('loss', x**3 + np.sin(2.0 * x))\n    return g\n"
    )
    held = lab.lab(f"{path}:cube", tmp_path / "lab.html")
    assert held["about"] == "Cubes." and held["target"] == [0.0]
    x = lab.THETAS  # the mean of sin 2x is exp(−2) sin 2θ
    truth = 3 * (x * x + 1) + 2 * np.exp(-2.0) * np.cos(2 * x)
    assert held["truth"][0] == pytest.approx(truth, rel=1e-5)
    assert not held["estimators"]["leave-one-out"]["cells"][1]["exact"]
    with pytest.raises(CallError, match=r"a scalar parameter 'theta'.*'policy'"):
        lab.lab("policy", tmp_path / "lab.html")


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("g.cost('loss', g.sample('x', scg.Cauchy(theta, 1.0)) ** 2)", "the true gradient"),
        ("g.cost('loss', theta + np.sum(g.parameter('w', [1.0, 2.0])))", r"theta \(\), w \(2,\)"),
        ("g.cost('loss', theta * g.data('x'))", "the data x"),
    ],
)
def test_models_that_the_lab_cannot_show(small, tmp_path, code, message):
    path = tmp_path / "mine.py"
    lines = ["g = scg.Graph('mine')", "theta = g.parameter('theta', 0.0)", code, "return g"]
    path.write_text("import numpy as np, scg\ndef mine():\n    " + "\n    ".join(lines) + "\n")
    with pytest.raises(CallError, match=message):
        lab.lab(f"{path}:mine", tmp_path / "lab.html")
    assert not (tmp_path / "lab.html").exists()


def test_a_name_cannot_break_the_page(small, browser, tmp_path):
    graph = scg.Graph("</script>{{graph}}'&\"")
    b = graph.sample("b", scg.Bernoulli(logits=graph.parameter("theta", 0.0)))
    graph.cost("<script>{{data}}", b * graph.data("target"))
    small.setitem(lab.MODELS, "odd", lambda: graph)
    lab.lab("odd", tmp_path / "lab.html")
    page = browser.open(tmp_path / "lab.html")
    assert not page.errors and page.evaluate("document.title") == "lab: </script>{{graph}}'&\""
    assert page.evaluate("document.querySelectorAll('#rows tr').length") == 3
    page.close()
