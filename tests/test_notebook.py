"""What a notebook shows of a result, a plan, a program and a profile; and what `cite` prints."""

import xml.etree.ElementTree as ET

import numpy as np
import pytest

import scg


def compiled(backend):
    g = scg.Graph("<toy>")
    weights = g.parameter("W", np.ones((3, 3)))
    b = g.sample("b<", scg.Bernoulli(logits=g.parameter("theta", 0.4)))
    g.cost("loss", (b - 0.499) ** 2 * np.sum(weights))
    g.cost("other", b * 1.0)
    return scg.compile(g, scg.MuProp(), backend=backend)


def table(shown):
    """Return the rows of a table of HTML, its head first, and its caption."""
    root = ET.fromstring(shown._repr_html_())
    rows = [[cell.text or "" for cell in row] for row in root.iter("tr")]
    return rows, root.findtext("caption")


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_a_result(backend):
    step = compiled(backend)
    out = step(step.graph.init(0), seed=1, runs=100)
    rows, caption = table(out)
    assert caption == "100 runs, unbiased"
    found = {row[0]: row[1:] for row in rows}
    assert found["cost"] == ["", f"{out.cost:.6g}", ""]
    assert found["cost other"][1] == f"{out.costs['other']:.6g}"
    errors = out.stderr
    assert found["∂/∂theta"] == ["", f"{out.grads['theta']:.4g}", f"{errors['theta']:.4g}"]
    norms = [np.linalg.norm(array["W"]) for array in (out.grads, errors)]
    assert found["∂/∂W"] == ["(3, 3)", *(f"norm {norm:.4g}" for norm in norms)]
    rows, caption = table(step(step.graph.init(0), seed=1))
    assert caption == "1 run, unbiased"
    assert all(row[-1] == "" for row in rows[1:])  # one run has no standard error


def test_a_run_and_exact_values():
    graph = compiled("numpy").graph
    run = scg.fit(compiled("numpy"), seed=0, epochs=2, steps_per_epoch=1)
    rows, caption = table(run)
    assert rows[0][:3] == ["epoch", "step", "cost"] and [row[0] for row in rows[1:]] == ["1", "2"]
    assert caption == repr(run)
    rows, caption = table(scg.exact(graph, graph.init(0)))
    assert [row[0] for row in rows] == ["cost", "∂/∂W", "∂/∂theta"]
    assert caption == "exact, 2 outcomes"


def test_a_plan():
    plan = compiled("numpy").plan
    rows, caption = table(plan)
    chosen = "MuProp(mean_field='single', scale=1.0)"
    assert rows[1:] == [["b<", "Bernoulli", chosen, "chosen by the user"]]
    assert caption == "unbiased"
    assert repr(plan) == str(plan) == f"b<  {chosen}  (chosen by the user)"


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_a_program(backend):
    program = compiled(backend).program
    root = ET.fromstring(program._repr_html_())
    assert root.findtext("summary") == f"{len(program)} operations, backend {backend!r}"
    assert root.findtext("pre") == str(program)
    assert repr(program).startswith(f"Program({len(program)} operations, backend {backend!r}")


def test_a_profile():
    step = compiled("numba")
    profile = step.profile(step.graph.init(0), rounds=2)
    rows, caption = table(profile)
    why = f"{profile.total * 1e6:.1f} µs: too small to cut"
    assert caption == f"{profile.total * 1e6:.1f} µs in {len(profile.rows)} entries ({why})"
    times = [float(row[0].split()[0]) for row in rows[1:]]
    assert len(times) == len(profile.rows)
    assert times == sorted(times, reverse=True)


def test_a_bibliography_is_shown_line_by_line():
    entries = scg.cite(compiled("numpy"))
    assert repr(entries) == str(entries)
    assert entries.splitlines()[0] == "@inproceedings{schulman2015,"


def test_tables_are_data_frames():
    g = scg.Graph("toy")
    b = g.sample("b", scg.Bernoulli(logits=g.parameter("theta", [0.4, 0.2])))
    g.cost("loss", np.sum((b - 0.499) ** 2))
    step, params = scg.compile(g, scg.MuProp(), backend="numba"), g.init(0)
    exact = scg.moments(step, params)
    outcomes = exact.to_frame()
    assert list(outcomes)[:4] == ["b[0]", "b[1]", "probability", "cost"] and len(outcomes) == 4
    mean = (outcomes["probability"] * outcomes["∂/∂theta[1]"]).sum()
    assert mean == pytest.approx(exact.mean["theta"][1], rel=1e-12)
    choice = {"a": scg.MuProp(), "b": scg.ScoreFunction()}
    table = scg.compare(g, choice, params, runs=50, seed=0)
    frame = table.to_frame().set_index("name")
    assert frame.loc["a", "variance"] == table.rows["a"].variance
    assert frame.loc["b", "mean theta"] == table.rows["b"].mean["theta"].tolist()
    assert step.explain().matrix.to_frame().to_dict("records") == step.explain().matrix.rows()
    profile = step.profile(params, rounds=2)
    assert profile.to_frame()["seconds"].sum() == pytest.approx(profile.total)
    run = scg.fit(step, seed=0, epochs=2, steps_per_epoch=1)
    assert run.to_frame()["cost"].tolist() == [record["cost"] for record in run.history]
