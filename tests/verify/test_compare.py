"""The comparison table: its numbers against exact moments, its text, its picture."""

import json
import re
import sys
from dataclasses import replace
from math import sqrt

import numpy as np
import pytest
from scipy.special import ndtri

import scg
from scg.verify.compare import Comparison
from scg.verify.sampling import Sample, seconds

RUNS = 20_000


def discrete():
    g = scg.Graph("discrete")
    a = g.sample("a", scg.Bernoulli(logits=g.parameter("t", 0.4)))
    b = g.sample("b", scg.Bernoulli(logits=a * g.parameter("w", [0.4, -0.9, 0.2])))
    g.cost("loss", np.sum((b - 0.3) ** 3) * (a + 0.5))
    return g


def continuous():
    g = scg.Graph("continuous")
    z = g.sample("z", scg.Normal(g.parameter("m", 0.3), g.parameter("s", 1.2)))
    g.cost("loss", z**2)
    return g


CHOICE = {
    "score": scg.ScoreFunction(),
    "loo": scg.LeaveOneOut(samples=3),
    "muprop": scg.MuProp(),
    "exact": scg.Enumeration(),
    "st": scg.StraightThrough(),
}


@pytest.fixture(scope="module")
def table(seed):
    g = discrete()
    return scg.compare(g, CHOICE, g.init(seed=0), runs=RUNS, seed=seed)


@pytest.mark.statistical
def test_means_and_variances_are_those_of_exact_moments(table, seed):
    g = discrete()
    for name, row in table.rows.items():
        step = scg.compile(
            g, scg.StraightThrough(allow_biased=True) if name == "st" else CHOICE[name]
        )
        m = scg.moments(step, g.init(seed=0))
        variance = sum(float(np.sum(v)) for v in m.variance.values())
        # 7 standard errors, 5 rows: below 1e-9 by chance, though squares are skewed
        assert abs(row.variance - variance) <= 7 * row.variance_stderr + 1e-12
        for key in ("t", "w"):
            assert row.mean[key].shape == np.shape(m.mean[key])
            deviation = np.abs(row.mean[key] - m.mean[key])
            assert np.all(deviation <= 7 * row.stderr[key] + 1e-12)


@pytest.mark.statistical
def test_the_standard_error_of_a_variance(seed):
    """The pathwise gradient of z²/2 in the mean is z: (z − m)² has the variance 2 s⁴."""
    g = scg.Graph()
    z = g.sample("z", scg.Normal(g.parameter("m", 0.7), 3.0))
    g.cost("loss", z**2 / 2.0)
    table = scg.compare(g, {"path": scg.Reparameterization()}, g.init(seed=0), runs=RUNS, seed=seed)
    row = table.rows["path"]
    expected = 9.0 * sqrt(2.0 / RUNS)
    assert abs(row.variance - 9.0) < 6 * expected
    assert abs(row.variance_stderr / expected - 1.0) < 0.2  # its own deviation is 0.013


@pytest.mark.statistical
def test_bias_shows_in_z(table, seed):
    assert table.reference == "exact"
    assert [name for name, row in table.rows.items() if not row.unbiased] == ["st"]
    assert abs(table.rows["st"].z) > 20
    assert table.rows["exact"].z == 0.0
    assert all(abs(table.rows[name].z) < 7 for name in ("score", "loo", "muprop"))


def test_all_estimators_see_the_same_noise():
    g = discrete()
    twice = {"one": scg.ScoreFunction(), "other": scg.ScoreFunction()}
    rows = scg.compare(g, twice, g.init(seed=0), runs=100, seed=1).rows
    np.testing.assert_array_equal(rows["one"].mean["w"], rows["other"].mean["w"])
    assert rows["one"].variance == rows["other"].variance > 0


def test_the_same_runs_as_a_call_of_the_step():
    g = discrete()
    row = scg.compare(g, {"s": scg.ScoreFunction()}, g.init(seed=0), runs=500, seed=3).rows["s"]
    out = scg.compile(g, scg.ScoreFunction())(g.init(seed=0), seed=3, runs=500)
    for name in g.parameters:
        np.testing.assert_allclose(row.mean[name], out.grads[name], rtol=1e-12, atol=1e-15)
        np.testing.assert_allclose(row.stderr[name], out.stderr[name], rtol=1e-9)


def test_blocks_do_not_change_the_numbers(monkeypatch):
    g = discrete()
    ask = ({"s": scg.ScoreFunction()}, g.init(seed=0))
    whole = scg.compare(g, *ask, runs=200, seed=3).rows["s"]
    monkeypatch.setattr("scg.engine.program.BLOCK_ELEMENTS", 2000)
    parts = scg.compare(g, *ask, runs=200, seed=3).rows["s"]
    assert parts.variance == pytest.approx(whole.variance, rel=1e-12)
    np.testing.assert_allclose(parts.mean["w"], whole.mean["w"], rtol=1e-12)


def test_equal_evaluations():
    g = discrete()
    table = scg.compare(g, CHOICE, g.init(seed=0), runs=480, seed=1, equal="evaluations")
    assert {name: (row.runs, row.evaluations) for name, row in table.rows.items()} == {
        "score": (480, 1),
        "loo": (160, 3),
        "muprop": (240, 2),
        "exact": (30, 16),
        "st": (480, 1),
    }
    assert str(table).endswith("; 30 to 480 runs")


def test_without_exact_truth_the_unbiased_are_pooled():
    g = continuous()
    choice = {
        "path": scg.Reparameterization(),
        "score": scg.ScoreFunction(),
        "st": scg.StraightThrough(),
    }
    table = scg.compare(g, choice, g.init(seed=0), runs=RUNS, seed=5)
    assert table.reference == "pooled"
    path, score, st = table.rows.values()
    precision = 1 / path.stderr["s"] ** 2, 1 / score.stderr["s"] ** 2
    pooled = np.average([path.mean["s"], score.mean["s"]], weights=precision)
    doubt = 1 / sqrt(sum(precision))
    # straight-through gives the scale no gradient at all
    assert st.z == pytest.approx(-pooled / doubt)
    assert abs(path.z) < 3 and abs(score.z) < 3
    assert "pooled mean" in str(table)


def test_nothing_unbiased_and_no_truth():
    g = continuous()
    table = scg.compare(g, {"st": scg.StraightThrough()}, g.init(seed=0), runs=10, seed=5)
    assert table.reference == "none" and np.isnan(table.rows["st"].z)
    assert table.to_dict()["rows"]["st"]["z"] is None
    assert str(table).endswith("no z: nothing unbiased to compare with; 10 runs")


def test_state_goes_to_the_estimator_of_its_name():
    g = discrete()
    step = scg.compile(g, scg.ScoreFunction(baseline=scg.baselines.MovingAverage()))
    state = step(g.init(seed=0), seed=9, runs=50).state
    choice = {name: step.plan.estimators[step.plan.influence.nodes[0]] for name in ("new", "old")}
    rows = scg.compare(g, choice, g.init(seed=0), runs=50, seed=1, state={"old": state}).rows
    expected = step(g.init(seed=0), seed=1, runs=50, state=state).grads["t"]
    assert rows["old"].mean["t"] == pytest.approx(expected, rel=1e-12)
    assert rows["new"].mean["t"] != pytest.approx(expected, rel=1e-3)


def test_data_options_and_plans_by_node():
    g = scg.Graph()
    batch = scg.Plate("batch")
    x = g.data("x", plates=batch)
    b = g.sample("b", scg.Bernoulli(logits=g.parameter("t", 0.3) * x))
    g.cost("loss", b * x)
    table = scg.compare(
        g,
        {"auto": None, "by node": {"b": scg.ScoreFunction()}},
        g.init(seed=0),
        runs=50,
        seed=1,
        data={"x": [1.0, 2.0]},
        dtype="float32",
    )
    assert table.rows["auto"].variance < 1e-12 < table.rows["by node"].variance


def test_a_graph_without_parameters():
    g = scg.Graph()
    g.cost("loss", g.sample("a", scg.Bernoulli(probs=0.5)))
    assert "nan" not in str(scg.compare(g, {"s": None}, {}, runs=5, seed=1))


def test_times_are_medians_of_interleaved_repeats():
    order = []

    class Clocked(Sample):
        def __init__(self, name, times):
            self.name, self.times = name, iter(times)

        def time(self):
            order.append(self.name)
            return next(self.times)

    # one repeat in five was disturbed
    samples = [Clocked("a", [1.0, 90.0, 3.0, 2.0, 2.0]), Clocked("b", [5.0, 4.0, 6.0, 80.0, 5.0])]
    assert seconds(samples) == [2.0, 5.0]
    assert "".join(order) == "ab" * 5


def test_text(table):
    lines = str(table).splitlines()
    assert lines[0].split() == [
        *("|mean|", "z", "evaluations", "variance", "time"),
        *("variance", "×", "time"),
    ]
    assert [line.split("  ")[0] for line in lines[1:-1]] == [
        "score",
        "loo",
        "muprop",
        "exact",
        "st (BIASED)",
    ]
    assert lines[-1] == (
        "z: deviation from the exact gradient in standard errors, the largest of 4 components "
        "(bias if |z| > 3.66, at 99.9 %); 20000 runs"
    )
    assert table.threshold == pytest.approx(-ndtri(0.001 / 8))
    assert "-0.0" not in str(table)


def test_notebook_view(table):
    page = table._repr_html_()
    assert page.count("<tr>") == 6 and "st (BIASED)" in page and "|z| &gt; 3.66" in page


def test_one_component_is_shown_with_its_error():
    g = scg.Graph()
    g.cost("loss", g.sample("a", scg.Bernoulli(logits=g.parameter("t", 0.0))))
    line = str(scg.compare(g, {"s": scg.Enumeration()}, g.init(seed=0), runs=5, seed=1))
    assert re.search(r"^s +0\.25 ± 0 +0\.0 ", line, re.M)


def test_it_fits_json(table):
    back = json.loads(json.dumps(table.to_dict()))
    row = back["rows"]["st"]
    assert row["unbiased"] is False and len(row["mean"]["w"]) == 3
    assert row["work"] == pytest.approx(row["variance"] * row["seconds"])


@pytest.mark.parametrize("suffix", ["svg", "png"])
def test_plot(table, tmp_path, suffix):
    path = tmp_path / f"v.{suffix}"
    figure = table.plot(path)
    assert figure.axes[0].get_xlabel()
    assert path.read_bytes().startswith({"svg": b"<?xml", "png": b"\x89PNG"}[suffix])


def test_a_plot_that_fails_leaves_the_file_as_it_was(table, tmp_path, monkeypatch):
    path = tmp_path / "v.svg"
    path.write_text("old")

    def cut(self, file, **options):
        file.write(b"half a pict")
        raise OSError("no space")

    monkeypatch.setattr("matplotlib.figure.Figure.savefig", cut)
    with pytest.raises(OSError, match="no space"):
        table.plot(path)
    assert path.read_text() == "old" and len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(("ratio", "scale"), [(10.0, "linear"), (100.0, "log")])
def test_the_axis_of_a_plot(table, ratio, scale):
    row = table.rows["score"]
    rows = {"a": replace(row, variance=1.0), "b": replace(row, variance=ratio)}
    assert Comparison(rows, "exact").plot().axes[0].get_xscale() == scale


def test_a_plot_shows_any_name(tmp_path):
    g = discrete()
    choice = {"$x_1$ < 1": scg.Enumeration(), "\\frac": scg.Enumeration()}
    scg.compare(g, choice, g.init(seed=0), runs=5, seed=1).plot(tmp_path / "v.svg")
    assert "$x_1$ &lt; 1" in (tmp_path / "v.svg").read_text(encoding="utf-8")


def test_a_plot_without_matplotlib(table, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(scg.ScgError, match=r"pip install 'scgrad\[draw\]'"):
        table.plot(tmp_path / "v.svg")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"equal": "time"}, 'equal must be "runs" or "evaluations"'),
        ({"runs": 1}, "at least two runs"),
        ({"runs": 20, "equal": "evaluations"}, "at least two runs"),
        ({"estimators": {}}, "give estimators by name"),
    ],
)
def test_messages(options, message):
    g = discrete()
    ask = {"estimators": {"e": scg.Enumeration()}, "runs": 10, "seed": 1, **options}
    with pytest.raises(scg.CallError, match=message):
        scg.compare(g, params=g.init(seed=0), **ask)
