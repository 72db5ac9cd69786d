"""Studies: grids of cells on workers, one file a result."""

import json
import multiprocessing
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pytest

import scg
from tests.workers import jobs


def toy():
    g = scg.Graph("toy")
    b = g.sample("b", scg.Bernoulli(logits=g.parameter("theta", 0.4)))
    g.cost("loss", (b - 0.499) ** 2)
    return g


GRID = {"rate": [0.5, 2.0], "seed": range(2)}


def traces(folder):
    return {path.name: len(path.read_text()) for path in folder.iterdir()}


def test_a_poisoned_cell_costs_its_row_alone_and_a_resumed_study_computes_what_is_missing(tmp_path):
    runs, results = tmp_path / "runs", tmp_path / "results"
    runs.mkdir()
    fixed = {"folder": str(runs), "poison": ((2.0, 0),)}
    options = {"folder": results, "fixed": fixed}
    first = scg.study(jobs.train, GRID, executor=2, **options)
    assert [row.get("loss") for row in first.rows()] == [0.0, 0.5, None, 2.0]
    assert [row["seed"] for row in first.failed] == [0] and "BrokenProcess" in first.failed[0][
        "failure"
    ]
    assert traces(runs)["2.0-0"] >= 2  # with the others, and alone
    assert len(list(results.iterdir())) == 4

    before = traces(runs)
    same = scg.study(jobs.train, GRID, **options)
    assert same.rows() == first.rows() and traces(runs) == before
    paths = sorted(results.iterdir())
    lost = next(p for p in paths if json.loads(p.read_text())["cell"] == {"rate": 0.5, "seed": 1})
    lost.unlink()
    assert [r.get("loss") for r in scg.study(jobs.train, GRID, **options).rows()] == [
        0,
        0.5,
        None,
        2,
    ]
    assert traces(runs) == before | {"0.5-1": before["0.5-1"] + 1}
    lost.write_text('{"cell": ')  # damaged by others
    larger = GRID | {"rate": [0.5, 2.0, 3.0]}
    assert [r.get("loss") for r in scg.study(jobs.train, larger, **options).rows()][4:] == [0, 3]
    assert traces(runs)["0.5-1"] == before["0.5-1"] + 2 and traces(runs)["0.5-0"] == before["0.5-0"]


def test_cells_that_raise_are_rows_and_computed_again_if_asked(tmp_path):
    runs = tmp_path / "runs"
    runs.mkdir()
    fixed = {"folder": str(runs)}
    axes = {"rate": {"bad": -1.0, "good": 1.0}, "seed": [np.int64(3)]}
    options = {"fixed": fixed, "folder": tmp_path / "results"}
    table = scg.study(jobs.train, axes, **options)
    assert [row["failure"] for row in table.rows()] == ["ValueError: rate -1.0", ""]
    assert table.rows()[1]["rate"] == "good" and table.rows()[1]["curve"] == [0, 1]
    assert table.rows()[1]["nan"] is None
    scg.study(jobs.train, axes, **options)
    assert traces(runs) == {"-1.0-3": 1, "1.0-3": 1}
    scg.study(jobs.train, axes, again=True, **options)
    assert traces(runs) == {"-1.0-3": 2, "1.0-3": 1}


def test_a_lost_executor_keeps_what_was_computed(tmp_path):
    runs = tmp_path / "runs"
    runs.mkdir()
    fixed = {"folder": str(runs), "poison": ((2.0, 0),)}
    pool = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))
    with pool, pytest.raises(scg.WorkerError, match="the executor is lost"):
        scg.study(jobs.train, GRID, executor=pool, fixed=fixed, folder=tmp_path / "results")
    kept = list((tmp_path / "results").iterdir())
    assert len(kept) == 2  # before the cell that killed the worker


def test_a_graph_is_measured_with_options_of_estimators_parameters_and_compile():
    g = toy()
    axes = {"estimator": {"loo": scg.LeaveOneOut}, "samples": [2, 4], "theta": [0.0, 1.0]}
    rows = scg.study(g, axes, fixed={"backend": "numpy", "runs": 500, "seed": 7}).rows()
    for row in rows:
        step = scg.compile(g, scg.LeaveOneOut(samples=row["samples"]), backend="numpy")
        exact = scg.moments(step, {"theta": row["theta"]}).variance["theta"]
        assert abs(row["variance"] - exact) < 8 * row["variance_stderr"] and row["unbiased"]
        compared = scg.compare(
            g, {"a": scg.LeaveOneOut(samples=row["samples"])}, {"theta": row["theta"]},
            runs=500, seed=7, backend="numpy",
        )  # fmt: skip
        assert compared.rows["a"].variance == row["variance"]


def test_a_study_prints_plots_and_is_a_frame(tmp_path):
    fixed = {"folder": str(tmp_path)}
    table = scg.study(jobs.train, GRID, fixed=fixed)
    assert repr(table) == "Study(4 cells over rate, seed; 0 failed)" and len(table) == 4
    assert "<table>" in table._repr_html_() and "curve" in str(table)
    assert list(table.to_frame()["loss"]) == [0.0, 0.5, 0.0, 2.0]
    axes = table.plot("loss", over="seed", by="rate").axes[0]
    assert [line.get_ydata().tolist() for line in axes.lines[::3]] == [[0.0, 0.5], [0.0, 2.0]]
    wide = scg.study(jobs.train, {"rate": [1.0, 1e-2, 1e-4], "seed": [1, 2]}, fixed=fixed)
    axes = wide.plot("loss", over="rate").axes[0]
    assert axes.lines[0].get_xdata().tolist() == [1e-4, 1e-2, 1.0]
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    assert "standard errors" in axes.get_ylabel()
    with pytest.raises(scg.CallError, match="no axis is called 'sed'; did you mean 'seed'"):
        table.plot("loss", over="sed")
    with pytest.raises(scg.CallError, match="no cell has a number called 'los'"):
        table.plot("los", over="seed")


def test_wrong_arguments_are_refused(tmp_path):
    with pytest.raises(scg.CallError, match="over names axes"):
        scg.study(jobs.train, {})
    with pytest.raises(scg.CallError, match="over names axes"):
        scg.study(jobs.train, {"seed": []})
    for values in (3, "abc"):
        with pytest.raises(scg.CallError, match="axis 'seed' is a sequence of values"):
            scg.study(jobs.train, {"seed": values})
    with pytest.raises(scg.CallError, match="train does not take its axes and fixed=: missing"):
        scg.study(jobs.train, {"seed": [1]})
    with pytest.raises(
        scg.CallError, match=r"train does not take .*unexpected keyword argument 'sd'"
    ):
        scg.study(jobs.train, GRID | {"sd": [1]}, fixed={"folder": ""})
    with pytest.raises(scg.CallError, match="a name is among the axes and in fixed="):
        scg.study(jobs.train, GRID, fixed={"folder": "", "seed": 1})
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", "/proc/none/there"):
        with pytest.raises(scg.CallError, match="no files can be written to folder"):
            scg.study(jobs.train, GRID, fixed={"folder": ""}, folder=folder)
    (row,) = scg.study(lambda seed: {"seed": 2.0}, {"seed": [1]}).rows()
    assert row == {
        "seed": 1,
        "failure": "CallError: study: 'seed' is a column already; return another name",
    }
    with pytest.raises(scg.CallError, match="must be a function or a graph, got int"):
        scg.study(3, GRID)
    with pytest.raises(scg.CallError, match="cannot be sent to workers"):
        scg.study(lambda seed: seed, {"seed": [1]}, executor=1)
