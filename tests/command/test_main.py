"""The ``scg`` command: what it prints, its exit codes, and one line for everything wrong."""

import gzip
import json
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import scg
import scg.models
from scg.command import main as cli
from scg.train import checkpoint

TOY = {
    "name": "toy",
    "nodes": {
        "theta": {"parameter": {"value": 0.4}},
        "b": {"sample": "Bernoulli(logits=theta)"},
        "loss": {"cost": "(b - 0.499) ** 2"},
    },
}
PYTHON = """
import scg

def toy(theta=0.4):
    g = scg.Graph("toy")
    b = g.sample("b", scg.Bernoulli(logits=g.parameter("theta", theta)))
    g.cost("loss", (b - 0.499) ** 2)
    return g

def broken():
    return 1 / 0

def nothing():
    return 3
"""


@pytest.fixture
def run(capsys, tmp_path, monkeypatch):
    """Run the command in an empty folder; return exit code, output, and error output."""
    monkeypatch.chdir(tmp_path)

    def call(*args):
        with pytest.raises(SystemExit) as left:
            cli.main([str(arg) for arg in args])
        captured = capsys.readouterr()
        return left.value.code, captured.out, captured.err

    return call


@pytest.fixture
def small(tmp_path):
    """The address of twenty small binary images."""
    rows = (np.random.default_rng(0).random((20, 6)) < 0.4).astype(np.uint8)
    np.savez(tmp_path / "small.npz", x_train=rows, x_test=rows[:5])
    return f"npz:{tmp_path / 'small.npz'}"


def train(small, *more):
    return ("train", "sbn1", "--data", small, "--batch-size", 10, "--epochs", 3, *more)


def test_a_run_that_diverges_ends_with_an_error(run, small, tmp_path):
    code, out, err = run(*train(small, "--rate", 1e9, "--out", "o", "--json"))
    assert (code, out) == (2, "")
    assert re.fullmatch(r"scg: the cost rose from .*: the run diverges.* are in o\n", err), err
    assert (tmp_path / "o" / "checkpoint.safetensors").exists()


def test_train_writes_checkpoint_metrics_and_result(run, small, tmp_path):
    code, out, err = run(*train(small, "--out", "o", "--json", "--samples", 7))
    assert (code, err) == (0, "")
    result = json.loads(out)
    assert json.loads((tmp_path / "o" / "result.json").read_text()) == result
    metrics = (tmp_path / "o" / "metrics.jsonl").read_text()
    lines = [json.loads(line) for line in metrics.splitlines()]
    assert [line["step"] for line in lines] == [2, 4, 6]
    assert result["gradient_variance"] == lines[-1]["gradient_variance"] > 0
    arrays, about = checkpoint.load(tmp_path / "o" / "checkpoint.safetensors")
    assert about["count"] == 6
    with np.load(small.partition(":")[2]) as data:
        graph = scg.models.sbn(data["x_train"].mean(axis=0), hidden=(32,))
        found = scg.evaluate(graph, arrays["params"], {"x": data["x_test"]}, samples=7, seed=1)
    assert (result["held_out_elbo"], result["held_out_bound_7"]) == (found.elbo, found.bound)


def test_train_logs_updates_on_request(run, small, tmp_path):
    assert run(*train(small, "--out", "o", "--log-every", 2, "--epochs", 1))[0] == 0
    metrics = (tmp_path / "o" / "metrics.jsonl").read_text()
    lines = [json.loads(line) for line in metrics.splitlines()]
    assert [(line["step"], "epoch" in line) for line in lines] == [(2, False), (2, True)]


def test_train_resumes_to_the_same_parameters(run, small, tmp_path):
    assert run(*train(small, "--out", "whole"))[0] == 0
    assert run(*train(small, "--out", "part", "--epochs", 1))[0] == 0
    code, out, _ = run(*train(small, "--out", "part", "--resume"))
    assert code == 0
    assert re.search(r"epochs +3\n", out)
    both = [checkpoint.load(tmp_path / o / "checkpoint.safetensors")[0] for o in ("whole", "part")]
    assert checkpoint.digest(both[0]) == checkpoint.digest(both[1])


@pytest.mark.skipif(os.name != "posix", reason="sends signals")
@pytest.mark.parametrize(("name", "expected"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_a_signal_saves_a_checkpoint(run, small, tmp_path, name, expected):
    args = [str(a) for a in train(small, "--epochs", 100_000, "--out", tmp_path / "o")]
    process = subprocess.Popen(
        [sys.executable, "-m", "scg", *args], stderr=subprocess.PIPE, text=True
    )
    metrics = tmp_path / "o" / "metrics.jsonl"
    while process.poll() is None and not (metrics.exists() and metrics.stat().st_size):
        time.sleep(0.02)
    code, _, err = run(*train(small, "--out", tmp_path / "o", "--resume"))
    assert code == 2 and "another run writes there now" in err
    process.send_signal(getattr(signal, name))
    try:
        _, err = process.communicate(timeout=30)
    finally:
        process.kill()  # where this process ignores SIGINT, so does its child
    assert process.returncode == expected
    assert "go on with --resume" in err
    assert "Traceback" not in err
    assert checkpoint.load(tmp_path / "o" / "checkpoint.safetensors")[1]["count"] >= 2
    assert sorted(p.name for p in (tmp_path / "o").iterdir()) == [
        "checkpoint.safetensors",
        "metrics.jsonl",
    ]


def test_a_full_disk_is_one_line_and_spares_the_checkpoint(run, small, tmp_path, monkeypatch):
    assert run(*train(small, "--out", "o", "--epochs", 1))[0] == 0
    path = tmp_path / "o" / "checkpoint.safetensors"
    before = path.read_bytes()

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    code, out, err = run(*train(small, "--out", "o", "--resume"))
    assert (code, out) == (2, "")
    assert err.splitlines()[-1] == "scg: o/metrics.jsonl: cannot write: No space left on device"
    assert path.read_bytes() == before


@pytest.mark.filterwarnings("default")
def test_a_biased_estimator_warns_in_one_line(run, small):
    code, _, err = run(*train(small, "--out", "o", "--estimator", "straightthrough", "--json"))
    assert code == 0
    assert re.fullmatch(r"scg: warning: .*StraightThrough is a biased estimator.*\n", err)


def test_grey_images_are_binarized(run, tmp_path):
    grey = np.full((20, 4), 0.5)
    np.savez(tmp_path / "grey.npz", x_train=grey, x_test=grey)
    costs = {}
    for how in ("dynamic", "static", "none"):
        out = run(*train("npz:grey.npz", "--out", how, "--json", "--binarize", how))[1]
        costs[how] = json.loads(out)["cost"]
    assert len(set(costs.values())) == 3


def test_a_validation_part_is_evaluated_after_each_epoch(run, tmp_path):
    rows = (np.random.default_rng(0).random((20, 6)) < 0.4).astype(np.uint8)
    np.savez(tmp_path / "d.npz", x_train=rows, x_valid=rows[:7], x_test=rows[7:])
    more = ("--backend", "numpy", "--dtype", "float32")
    assert run(*train("npz:d.npz", "--out", "o", *more))[0] == 0
    lines = (tmp_path / "o" / "metrics.jsonl").read_text().splitlines()
    assert all(json.loads(line)["valid_elbo"] < 0 for line in lines)
    _, about = checkpoint.load(tmp_path / "o" / "checkpoint.safetensors")
    assert about["settings"]["dtype"] == "float32"


def test_models_from_python_and_json(run, tmp_path):
    (tmp_path / "toy.json").write_text(json.dumps(TOY))
    (tmp_path / "toy.py").write_text(PYTHON)
    texts = [
        run("explain", model, "--estimator", "MuProp")[1] for model in ("toy.json", "toy.py:toy")
    ]
    assert "MuProp" in texts[0]
    assert texts[0] == texts[1]
    code, out, _ = run("train", "toy.py:toy", "--epochs", 1, "--out", "o", "--set", "theta=-20")
    assert code == 0
    assert float(re.search(r"held_out_cost +(.*)", out)[1]) == pytest.approx(0.499**2, abs=1e-4)


def test_draw_prints_dot_or_writes_it(run, tmp_path):
    code, out, _ = run("draw", "sbn2")
    assert code == 0
    assert out.startswith("digraph")
    assert "h2" in out
    code, surrogate, _ = run("draw", "sbn2", "--estimator", "MuProp")
    assert "MuProp" in surrogate
    assert "⊠" in run("draw", "sbn2", "--level", "surrogate")[1]
    assert run("draw", "sbn2", "--out", "g.dot") == (0, "", "")
    assert (tmp_path / "g.dot").read_text().strip() == out.strip()


def test_explain_names_node_and_estimator(run):
    code, out, _ = run("explain", "sbn2", "--estimator", "h1=MuProp,h2=ScoreFunction", "--json")
    assert code == 0
    nodes = {node["name"]: node["estimator"] for node in json.loads(out)["nodes"]}
    assert nodes["h1"].startswith("MuProp(")
    assert nodes["h2"].startswith("ScoreFunction(")


def test_a_model_of_other_data_is_drawn_and_explained_without_them(run, tmp_path):
    (tmp_path / "own.py").write_text(
        "import scg\n\n"
        "def own():\n"
        "    g = scg.Graph('own')\n"
        "    z = g.sample('z', scg.Bernoulli(logits=g.parameter('theta', 0.4)))\n"
        "    g.cost('loss', (z - g.data('y')) ** 2)\n"
        "    return g\n"
    )
    assert run("draw", "own.py:own")[1].startswith("digraph")
    assert (
        "LeaveOneOut(samples=4): unbiased"
        in run("explain", "own.py:own", "--estimator", "LeaveOneOut(samples=4)")[1]
    )
    code, _, said = run("check", "own.py:own")
    assert code == 2
    assert "the model declares data 'y'; the command feeds images as 'x'" in said


def test_the_module_runs_as_the_command():
    done = subprocess.run(
        [sys.executable, "-m", "scg", "models", "--json"], capture_output=True, check=True
    )
    assert "sbn2" in {row["model"] for row in json.loads(done.stdout)}


def test_check_says_what_it_found_by_its_exit_code(run):
    small = ("sbn1", "--set", "hidden=[2]", "--examples", 1)
    code, out, _ = run("check", *small, "--estimator", "MuProp")
    assert (code, out) == (0, "exact: unbiased\n")
    biased = "StraightThrough(allow_biased=True)"
    code, out, _ = run("check", *small, "--estimator", biased, "--json")
    assert code == 1
    found = json.loads(out)
    assert (found["unbiased"], found["exact"], found["z"]) == (False, True, None)


def test_compare_measures_at_trained_parameters(run, small):
    assert run(*train(small, "--out", "o"))[0] == 0
    options = ("--data", small, "--estimators", "ScoreFunction, LeaveOneOut(samples=4)")
    rows = {}
    for where in ((), ("--params", "o/checkpoint.safetensors")):
        out = run("compare", "sbn1", *options, *where, "--runs", 50, "--json")[1]
        rows[where] = json.loads(out)["rows"]
        assert list(rows[where]) == ["ScoreFunction", "LeaveOneOut(samples=4)"]
        variances = [row["variance"] for row in rows[where].values()]
        assert variances[0] > variances[1]
    first, trained = rows.values()
    assert first["ScoreFunction"]["mean"] != trained["ScoreFunction"]["mean"]
    assert "variance" in run("compare", "sbn1", *options, "--runs", 10)[1]


def test_demo_writes_its_report(run, tmp_path):
    code, out, _ = run("demo", "--epochs", 1, "--out", "d")
    assert code == 0
    assert re.search(r"MuProp +yes +-\d.*\n.*\nstraight-through +no", out)
    assert "NOT reached; see d/report.html" in out
    assert (tmp_path / "d" / "report.html").exists()


def test_lists(run):
    assert {row["model"] for row in json.loads(run("models", "--json")[1])} == set(
        scg.models.MODELS
    )
    rows = json.loads(run("estimators", "--json")[1])
    bias = {row["estimator"]: row["unbiased"] for row in rows}
    assert bias["StraightThrough"] == "no"
    assert bias["MuProp"] == "yes"
    assert re.search(r"^sbn2 .*hidden=\(32, 32\), particles=None$", run("models")[1], re.M)
    assert re.search(r"^bernoulli_vae .*, activation=tanh$", run("models")[1], re.M)
    assert re.search(r"^MuProp +yes", run("estimators")[1], re.M)


def test_help_and_version(run):
    assert "train" in run("--help")[1]
    code, out, _ = run()
    assert code == 2
    assert "Commands:" in out


def truncated(tmp_path):
    content = gzip.compress(b"\0\0\x08\x03" + 3 * b"\0\0\0\x03" + bytes(27))
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(content[:-9])
    return ("train", "sbn1", "--data", f"mnist:{tmp_path}", "--out", "o")


def wrong_magic(tmp_path):
    (tmp_path / "train-images-idx3-ubyte").write_bytes(b"GIF89a" + bytes(40))
    return ("train", "sbn1", "--data", f"mnist:{tmp_path}", "--out", "o")


def npz(tmp_path, **arrays):
    np.savez(tmp_path / "d.npz", **arrays)
    return ("train", "sbn1", "--data", "npz:d.npz", "--out", "o")


def written(name, text, *args):
    def make(tmp_path):
        (tmp_path / name).write_text(text)
        return args

    return make


def json_nodes(**nodes):
    return written("m.json", json.dumps({"nodes": nodes}), "explain", "m.json")


HUGE = """
import scg

def huge():
    g = scg.Graph("huge")
    g.cost("loss", g.parameter("a", shape=10**17)[0])
    return g
"""


WRONGLY = """import scg

def vector(**more):
    g = scg.Graph("vector")
    g.cost("loss", g.parameter("a", [1.0, 2.0]))
    return g

def constant():
    g = scg.Graph("constant")
    b = g.sample("b", scg.Bernoulli(logits=0.4))
    g.cost("loss", b)
    return g
"""


def of_another_model(tmp_path):
    (tmp_path / "o").mkdir()
    checkpoint.save(tmp_path / "o" / "checkpoint.safetensors", {}, {"settings": {"model": "vae"}})
    return ("train", "sbn1", "--out", "o", "--resume")


def damaged_checkpoint(tmp_path):
    (tmp_path / "o").mkdir()
    (tmp_path / "o" / "checkpoint.safetensors").write_bytes(b"\x10\0\0\0\0\0\0\0{}")
    return ("train", "sbn1", "--out", "o", "--resume")


def empty_checkpoint(tmp_path):
    checkpoint.save(tmp_path / "c", {"params": {}}, {})
    return ("check", "sbn1", "--params", "c")


def unwritable(tmp_path):
    (tmp_path / "file").write_text("")
    return ("train", "sbn1", "--out", "file/o")


NAN, GREY = np.full((4, 6), np.nan), np.full((4, 6), 0.5)
WRONG = {
    "unknown model": (lambda p: ("explain", "sbn9"), "no model 'sbn9'"),
    "no such file": (lambda p: ("explain", "none.py:f"), "none.py: there is no such file"),
    "no such json": (lambda p: ("explain", "none.json"), "none.json: No such file"),
    "syntax error": (written("m.py", "def f(:\n", "explain", "m.py:f"), r"m.py:1: invalid syntax"),
    "import error": (written("m.py", "import nope", "explain", "m.py:f"), "m.py:1: ModuleNotFound"),
    "no function": (
        written("m.py", PYTHON, "explain", "m.py:f"),
        "has no function 'f'; it has toy",
    ),
    "fails": (written("m.py", PYTHON, "explain", "m.py:broken"), "m.py:11: ZeroDivisionError"),
    "declares wrongly": (
        written("m.py", WRONGLY, "explain", "m.py:vector"),
        "m.py:5: cost 'loss' has event shape",
    ),
    "no graph": (written("m.py", PYTHON, "explain", "m.py:nothing"), "returned int, not a scg"),
    "not json": (written("m.json", "{", "explain", "m.json"), "m.json:1: Expecting property"),
    "json list": (written("m.json", "[]", "explain", "m.json"), "m.json: expected an object"),
    "cycle": (
        json_nodes(a={"deterministic": "b"}, b={"deterministic": "a"}, c={"cost": "a"}),
        "m.json: a cycle: ",
    ),
    "undeclared": (json_nodes(a={"cost": "b"}), "node 'a' uses 'b', which is not declared"),
    "not allowed": (json_nodes(a={"cost": "(1).real"}), "node 'a': .* is not allowed"),
    "vector cost": (
        json_nodes(a={"parameter": {"shape": [2]}}, c={"cost": "a"}),
        "node 'c': cost 'c' has event shape",
    ),
    "no cost": (json_nodes(a={"parameter": {"value": 1.0}}), "declares no cost"),
    "unknown data": (lambda p: ("train", "sbn1", "--data", "moon", "--out", "o"), "data 'moon'"),
    "truncated gzip": (truncated, "train-images-idx3-ubyte.gz: damaged or truncated gzip"),
    "wrong magic": (wrong_magic, "train-images-idx3-ubyte: not an IDX file"),
    "wrong dtype": (lambda p: npz(p, x_train=np.ones((4, 6), int), x_test=NAN), "got int64"),
    "NaN pixels": (lambda p: npz(p, x_train=NAN, x_test=NAN), "must lie in .* and be finite"),
    "wrong kind": (
        lambda p: npz(p, x_train=np.ones((4, 6), bool), x_test=NAN),
        "expected bytes or floats, got bool",
    ),
    "no labels": (
        lambda p: ("train", "logistic", *npz(p, x_train=GREY, x_test=GREY)[2:]),
        "has no labels, which the model needs",
    ),
    "another size": (
        lambda p: npz(p, x_train=GREY, x_test=GREY[:, :5]),
        "the parts differ in their number of pixels",
    ),
    "pickled objects": (
        lambda p: npz(p, x_train=np.array([{}], object), x_test=GREY),
        "d.npz: damaged or not an npz archive .ValueError: pickled objects are not read.",
    ),
    "not a number": (
        lambda p: ("train", "sbn1", "--rate", "nan", "--out", "o"),
        "--rate nan: a learning rate is a positive number",
    ),
    "leaves": (
        written("m.py", "import sys\nsys.exit(0)\n", "explain", "m.py:f"),
        "m.py:2: SystemExit: 0",
    ),
    "too large": (
        json_nodes(a={"parameter": {"shape": [10**17]}}, c={"cost": "a[0]"}),
        "node 'a': .* more than a declaration may ask for",
    ),
    "no memory": (
        written("m.py", HUGE, "train", "m.py:huge", "--out", "o"),
        "not enough memory: Unable to allocate",
    ),
    "another model": (of_another_model, "a checkpoint of another run: its model is 'vae'"),
    "damaged checkpoint": (damaged_checkpoint, "checkpoint.safetensors: damaged"),
    "nothing to resume": (
        lambda p: ("train", "sbn1", "--out", "o", "--resume"),
        "there is no checkpoint",
    ),
    "unwritable": (unwritable, "file/o: cannot write to this folder"),
    "unwritable demo": (
        lambda p: ("demo", "--out", unwritable(p)[-1]),
        "file/o: cannot write to this folder",
    ),
    "unknown estimator": (
        lambda p: ("explain", "sbn1", "--estimator", "Magic"),
        "there is no estimator 'Magic'; known are auto, ",
    ),
    "estimator that does not fit": (
        lambda p: ("explain", "policy", "--estimator", "Reparameterization"),
        r"node 'action'",
    ),
    "unknown option": (
        lambda p: ("explain", "sbn1", "--set", "layers=3"),
        "takes no option 'layers'; it takes hidden",
    ),
    "misspelt model": (lambda p: ("explain", "sbnn1"), r"did you mean 'sbn1'\?; write file.py"),
    "misspelt function": (
        written("m.py", PYTHON, "explain", "m.py:borken"),
        r"m.py: has no function 'borken'; did you mean 'broken'\?",
    ),
    "misspelt option": (
        lambda p: ("explain", "sbn1", "--set", "hiden=3"),
        r"no option 'hiden'; did you mean 'hidden'\?; it takes hidden",
    ),
    "misspelt estimator": (
        lambda p: ("explain", "sbn1", "--estimator", "MuProb"),
        r"no estimator 'MuProb'; did you mean 'MuProp'\?",
    ),
    "option of another kind": (
        lambda p: ("explain", "sbn1", "--set", "hidden=3.5"),
        r"with hidden=3.5 \(by default \(32,\)\): TypeError",
    ),
    "layer without units": (
        lambda p: ("explain", "sbn1", "--set", "hidden=[0]"),
        "scg.nn.linear: width must be a positive integer, got 0",
    ),
    "layer without units, as a tuple": (
        lambda p: ("explain", "sbn1", "--set", "hidden=(0,)"),
        "scg.nn.linear: width must be a positive integer, got 0",
    ),
    "deep brackets": (
        lambda p: ("explain", "sbn1", "--set", "hidden=" + 100_000 * "["),
        "--set hidden: its brackets are nested too deeply",
    ),
    "deep brackets of an estimator": (
        lambda p: ("explain", "sbn1", "--estimator", 100_000 * "-" + "1"),
        "estimator: its brackets are nested too deeply",
    ),
    "long nonsense": (lambda p: ("explain", 100_000 * "["), r"no model .\[* \.\.\. .* mixture"),
    "baseline that is none": (
        lambda p: ("explain", "sbn1", "--estimator", "MuProp(baseline=3)"),
        r"MuProp: baseline must be a baseline such as .*MovingAverage\(\), or None, got 3",
    ),
    "options without names": (
        lambda p: ("explain", "sbn1", "--estimator", "MuProp(**{})"),
        r"write it as LeaveOneOut\(samples=4\), or for single nodes as h1=MuProp,h2=ARM",
    ),
    "one node twice": (
        lambda p: ("explain", "sbn1", "--estimator", "h1=MuProp,h1=ARM"),
        "one node is named twice",
    ),
    "nothing to train": (
        written("m.py", WRONGLY, "train", "m.py:constant", "--out", "o"),
        "graph 'constant' declares no parameter: nothing to train",
    ),
    "no option": (lambda p: ("train", "sbn1"), "Missing option '--out'"),
    "empty path": (
        lambda p: ("train", "sbn1", "--out", ""),
        "Invalid value for '--out': it is empty",
    ),
    "option without a name": (
        lambda p: ("explain", "sbn1", "--set", "=3"),
        "--set =3: write --set name=value",
    ),
    "unknown command": (lambda p: ("fly",), "No such command 'fly'"),
    "one estimator twice": (
        lambda p: ("compare", "sbn1", "--estimators", "MuProp,MuProp"),
        "one estimator is named twice",
    ),
    "parameters of another model": (
        empty_checkpoint,
        "c: a checkpoint of another model: 'encoder1/W' does not fit",
    ),
    "picture of another kind": (lambda p: ("draw", "sbn1", "--out", "g.gif"), "gif"),
}


def test_there_are_more_than_twenty_of_them():
    assert len(WRONG) > 20


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_gets_one_line_and_overwrites_nothing(run, tmp_path, name):
    make, message = WRONG[name]
    args = make(tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    code, out, err = run(*args)
    assert (code, out) == (2, "")
    assert re.fullmatch(rf"scg: .*{message}.*\n", err), err
    after = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert all(after[path] == content for path, content in before.items())


def test_a_traceback_is_printed_where_it_is_asked_for(run, tmp_path):
    (tmp_path / "m.py").write_text(PYTHON)
    code, out, err = run("explain", "m.py:broken", "--traceback")
    assert (code, out) == (2, "")
    assert "    return 1 / 0\n" in err
    assert err.endswith("\nscg: m.py:11: ZeroDivisionError: division by zero\n")


def test_an_error_of_scg_itself_is_not_a_bias(run, monkeypatch):
    monkeypatch.setattr("scg.command.lists.models", lambda: 1 / 0)
    code, out, err = run("models")
    assert (code, out) == (3, "")
    assert "ZeroDivisionError" in err


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "latin-1"])
def test_output_may_have_any_encoding(encoding):
    command = [sys.executable, "-m", "scg", "estimators"]
    env = os.environ | {"PYTHONIOENCODING": encoding}
    done = subprocess.run(command, capture_output=True, env=env)
    assert (done.returncode, done.stderr) == (0, b"")
    assert rb"\u03b8" in done.stdout


@pytest.mark.skipif(os.name != "posix", reason="pipes and /dev/full of POSIX")
@pytest.mark.parametrize("json", [(), ("--json",)])
def test_a_reader_may_leave(json):
    command = [sys.executable, "-m", "scg", "estimators", *json]
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as closed:
        done = subprocess.run(command, stdout=closed, stderr=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (141, b"")
    with open("/dev/full", "wb") as full:  # noqa: PTH123
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (2, b"scg: No space left on device\n")


def test_the_cache_says_where_it_is_and_is_cleared(run, tmp_path, monkeypatch):
    from scg.engine.codegen import cache

    monkeypatch.setenv("SCG_CACHE_DIR", str(tmp_path / "kernels"))
    cache.write("a" * 64, bytes(10**6))
    (tmp_path / "kernels" / "mine").write_text("")
    code, out, err = run("cache", "--json")
    assert (code, err) == (0, "")
    found = json.loads(out)
    assert found["folder"] == str(tmp_path / "kernels") and found["at most"] == 256
    assert found["kernels"] == 1 and 1 < found["megabytes"] < 1.001
    code, out, _ = run("cache", "--clear")
    assert code == 0 and re.search(r"kernels +0\n.*removed +1\n", out, re.DOTALL)
    assert [path.name for path in (tmp_path / "kernels").iterdir()] == ["mine"]
    monkeypatch.setenv("SCG_CACHE_DIR", "")
    assert run("cache")[0] == 2
