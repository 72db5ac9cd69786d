"""The reproductions of papers: what is interrupted goes on, and the page says what was measured."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

SCRIPTS = Path(__file__).resolve().parents[2] / "benchmarks" / "papers"
MODEL = "392-200-200-392"  # of images of 4×4 it keeps the hidden layers alone


def run(script, *args):
    subprocess.run([sys.executable, SCRIPTS / script, *map(str, args)], check=True, timeout=300)


def write_idx(path, images):
    header = bytes([0, 0, 8, 3]) + np.array(images.shape, ">u4").tobytes()
    path.write_bytes(header + images.tobytes())


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A short reproduction: two estimators, two seeds."""
    folder = tmp_path_factory.mktemp("papers")
    rng = np.random.default_rng(0)
    pixels = np.where(rng.random((50_020, 4, 4)) < 0.4, 255, 0).astype(np.uint8)
    write_idx(folder / "train-images-idx3-ubyte", pixels)
    write_idx(folder / "t10k-images-idx3-ubyte", pixels[:20])
    args = ("--data", folder, "--out", folder / "runs", "--steps", 10, "--draws", 3)
    some = ("--models", MODEL, "--estimators", "MuProp-C", "ST", "--backend", "numpy")

    def call(*more):
        run("muprop_structured.py", *args, *some, *more)
        return (folder / "runs" / "muprop_structured.jsonl").read_text()

    return folder, call, call()


def figures(text):
    """The figures of the lines that do not depend on the clock."""
    timed = ("seconds", "ms_per_step")
    return [
        {k: v for k, v in json.loads(line).items() if k not in timed} for line in text.splitlines()
    ]


def test_every_rival_had_three_rates_and_two_seeds(done):
    records = figures(done[2])
    for name in ("MuProp-C", "ST"):
        mine = [r for r in records if r["estimator"] == name]
        first = {r["rate"]: r["valid"] for r in mine if r["kind"] == "run" and r["seed"] == 0}
        tests = [r for r in mine if r["kind"] == "test"]
        assert len(first) >= 3
        assert [r["seed"] for r in tests] == [0, 1]
        assert {r["rate"] for r in tests} == {min(first, key=first.get)}
    variance = {r["estimator"]: r["variance"] for r in records if r["kind"] == "variance"}
    assert all(value > 0 for value in variance.values())
    assert variance["LR"] > variance["MuProp"]


def test_what_is_there_is_not_done_again(done):
    _, call, text = done
    assert call() == text


def test_a_line_that_was_cut_is_done_again(done):
    folder, call, text = done
    file = folder / "runs" / "muprop_structured.jsonl"
    file.write_text(text[:-30])
    again = call()
    file.write_text(text)
    assert figures(again) == figures(text)


def test_the_page_shows_the_figures(done):
    folder, _, text = done
    docs = folder / "docs"
    docs.mkdir()
    run("results.py", "--runs", folder / "runs", "--docs", docs)
    page = (docs / "results.md").read_text()
    tests = [r["test"] for r in figures(text) if r["kind"] == "test"]
    row = re.search(r"^\| MuProp-C \| \*\*(.*?)\*\* \|.*\| 57.7 \|$", page, re.M)
    assert row[1] == f"{np.mean(tests[:2]):.1f}"
    assert "LR-C has a higher variance than MuProp-C: **holds**" in page
    assert "LR-C-VN-IDB ends above" not in page
    assert "- 19 further claims were not measured" in page
    for picture in re.findall(r"\]\((results/.*?)\)", page):
        assert (docs / picture).read_text().lstrip().startswith("<?xml")
    assert (docs / "results" / "muprop_structured.jsonl").read_text() == text


def test_a_rate_that_more_rates_replaced_is_left_out():
    def record(kind, rate, valid=None, seed=0):
        return dict(kind=kind, estimator="MuProp-C", rate=rate, seed=seed, valid=valid)

    old = [record("run", 0.1, 2.0), record("test", 0.1), record("variance", 0.1)]
    new = [record("run", 0.3, 1.0), record("test", 0.3), record("variance", 0.3)]
    other = [record("run", 0.1, 0.5, seed=1), record("run", 0.9)]  # one diverged
    code = (
        "import json, sys; from results import at_best_rate; "
        "print(json.dumps(at_best_rate(json.loads(sys.argv[1]))))"
    )
    given = json.dumps(old + new + other)
    out = subprocess.run(
        [sys.executable, "-c", code, given], cwd=SCRIPTS, check=True, capture_output=True
    )
    assert json.loads(out.stdout) == [old[0], *new, *other]
