"""Options of estimators and baselines: a wrong name or kind is one error that names the option."""

import inspect
import re

import numpy as np
import pytest

import scg
from scg.estimators import ESTIMATORS, baselines

CLASSES = [*ESTIMATORS, *(getattr(baselines, n) for n in baselines.__all__ if n != "Baseline")]
OPTIONS = [(cls, name) for cls in CLASSES for name in inspect.signature(cls).parameters]
# Text is right for no option but the few that are chosen by name, and then not this one.
WRONG = [scg.ScoreFunction, baselines.MovingAverage, "x", np.ones(2), float("nan"), {}, object()]


@pytest.mark.parametrize(("cls", "name"), OPTIONS)
def test_an_option_of_a_wrong_kind_is_an_error(cls, name):
    needed = {
        p.name: scg.Plate("p", length=2) if cls is scg.VIMCO else 1.0
        for p in inspect.signature(cls).parameters.values()
        if p.default is p.empty
    }
    for value in WRONG:
        if cls is scg.VIMCO and name == "impute" and isinstance(value, str):
            continue  # checked where the plate's means are taken
        with pytest.raises(scg.EstimatorError, match=name):
            cls(**{**needed, name: value})


ROWS = {
    "misspelt": (
        lambda: scg.LeaveOneOut(sample=4),
        "LeaveOneOut has no argument 'sample'; did you mean 'samples'?; it takes samples",
    ),
    "too many": (
        lambda: scg.LeaveOneOut(4, 5),
        "LeaveOneOut: too many positional arguments; it takes samples",
    ),
    "missing": (
        lambda: baselines.Constant(),
        "Constant: missing a required argument: 'value'; it takes value",
    ),
    "class": (
        lambda: scg.ScoreFunction(baseline=baselines.MovingAverage),
        "ScoreFunction: baseline must be a baseline such as scg.baselines.MovingAverage(), or "
        "None, got the class MovingAverage and not MovingAverage(...)",
    ),
    "number": (
        lambda: scg.MuProp(baseline=0.5),
        "MuProp: baseline must be a baseline such as scg.baselines.MovingAverage(), or None, "
        "got 0.5",
    ),
    "flag": (
        lambda: scg.MuProp(allow_biased="no"),
        "MuProp: allow_biased must be True or False, got 'no'",
    ),
    "fraction": (
        lambda: baselines.Network(decay=1.0),
        "Network: decay must be a number in [0, 1), got 1.0",
    ),
}


@pytest.mark.parametrize("row", ROWS)
def test_the_message_says_what_to_write(row):
    make, message = ROWS[row]
    with pytest.raises(scg.EstimatorError) as caught:
        make()
    assert str(caught.value) == message


def test_right_options_are_stored_as_they_are():
    baseline = baselines.Network(hidden=[3, np.int64(4)], decay=np.float32(0.5))
    estimator = scg.MuProp("rollout", 1, baseline, allow_biased=np.True_)
    assert (estimator.baseline, estimator.scale, baseline.hidden) == (baseline, 1, (3, 4))
    assert scg.DoubleCV(scale=None).scale is None


# --- public calls ---------------------------------------------------------------------------------
def declared():
    g = scg.Graph("toy")
    x = g.data("x", plates=scg.Plate("batch"))
    b = g.sample("b", scg.Bernoulli(logits=g.parameter("theta", [0.4, 0.2])))
    g.deterministic("log_weight", 1.0 * x)
    g.cost("loss", x * np.sum((b - 0.499) ** 2))
    return g


G = declared()
STEP = scg.compile(G, scg.MuProp(), backend="numpy")
PARAMS, DATA = G.init(0), {"x": np.ones(2)}
ESTIMATOR_BY_NAME = {"muprop": scg.MuProp()}
CALLS = {
    "scg.compile": (scg.compile, {"graph": G, "backend": "numpy", "dtype": "float64", "order": 1}),
    "step": (STEP, {"params": PARAMS, "seed": 1, "runs": 2, "data": DATA, "state": None}),
    "step.bind": (STEP.bind, {"params": PARAMS, "runs": 2, "data": DATA, "state": None}),
    "step.init": (STEP.init, {"seed": 1}),
    "step.noise": (STEP.noise, {"seed": 1, "runs": 2, "data": DATA}),
    "step.draw": (STEP.draw, {"path": None, "level": "surrogate"}),
    "g.init": (G.init, {"seed": 1}),
    "g.draw": (G.draw, {"path": None}),
    "g.simulate": (
        G.simulate,
        {"params": PARAMS, "nodes": ["b"], "do": None, "seed": 1, "runs": 2, "data": DATA},
    ),
    "scg.exact": (scg.exact, {"graph": G, "params": PARAMS, "data": DATA}),
    "scg.moments": (scg.moments, {"step": STEP, "params": PARAMS, "data": DATA}),
    "scg.check": (
        scg.check,
        {"step": STEP, "params": PARAMS, "seed": 0, "data": DATA, "runs": 1000, "state": None},
    ),
    "scg.compare": (
        scg.compare,
        {"graph": G, "estimators": ESTIMATOR_BY_NAME, "params": PARAMS, "runs": 10, "seed": 0}
        | {"data": DATA, "state": None, "equal": "runs", "backend": "numpy"},
    ),
    "scg.evaluate": (
        scg.evaluate,
        {"graph": G, "params": PARAMS, "data": DATA, "samples": 2, "seed": 0, "batch_size": 3},
    ),
    "scg.cite": (scg.cite, {"step": STEP}),
    "scg.grad": (scg.grad, {"y": G.costs["loss"], "x": [G.named("x")]}),
}
THINGS = {
    "graph": G,
    "step": STEP,
    "bound step": STEP.bind(PARAMS, data=DATA),
    "result": STEP(PARAMS, seed=0, data=DATA),
    "params": PARAMS,
    "class": scg.Graph,
    "estimator": scg.MuProp(),
    "node": G.named("b"),
    "list": [1, 2],
    "array": np.ones(2),
    "number": 2.5,
    "text": "?",
}
RIGHT = {
    ("graph", "graph"),
    ("step", "step"),
    ("params", "params"),
    ("x", "node"),
    ("path", "text"),
    ("nodes", "params"),
}


@pytest.mark.parametrize("call", CALLS)
def test_public_calls_with_an_argument_of_another_kind(call):
    function, given = CALLS[call]
    function(**given)
    for name in given:
        for what, thing in THINGS.items():
            if (name, what) in RIGHT:
                continue
            with pytest.raises(scg.ScgError) as caught:
                function(**{**given, name: thing})
                pytest.fail(f"{call} takes a {what} as {name}")
            assert "\n" not in str(caught.value)


@pytest.mark.parametrize("call", [c for c in CALLS if c != "step"])
def test_public_calls_say_which_argument_is_missing_unknown_or_too_many(call):
    function, given = CALLS[call]
    needed = [
        name
        for name, p in inspect.signature(function).parameters.items()
        if p.default is p.empty and name in given
    ]
    for name in needed:
        with pytest.raises(scg.ScgError, match=rf"{call}: missing .*'{name}'; write {call}\("):
            function(**{n: value for n, value in given.items() if n != name})
    with pytest.raises(scg.ScgError, match=r"has no argument 'tarams'|unknown data 'tarams'"):
        function(**given, tarams=PARAMS)


MISTAKES = {
    "step for graph": (
        lambda: scg.exact(STEP, PARAMS),
        "scg.exact: graph must be a scg.Graph, got a step (its graph is step.graph); write "
        "scg.exact(g, params)",
    ),
    "graph for step": (
        lambda: scg.check(G, PARAMS, 0),
        "scg.check: step must be a step, as scg.compile returns it, got Graph('toy': 1 data, "
        "1 parameter, 1 stochastic, 1 deterministic, 1 cost); write scg.check(step, params, "
        "seed=0)",
    ),
    "swapped": (
        lambda: scg.moments(PARAMS, STEP),
        "scg.moments: step must be a step, as scg.compile returns it, got {'theta': array([0.4, "
        "0.2])}; write scg.moments(step, params)",
    ),
    "one estimator": (
        lambda: scg.compare(G, scg.MuProp(), PARAMS, runs=10, seed=0),
        "scg.compare: estimators must be a mapping from names, got MuProp(mean_field='single', "
        'scale=1.0); write scg.compare(g, {"muprop": scg.MuProp()}, params, runs=1000, seed=0)',
    ),
    "misspelt": (
        lambda: STEP(PARAMS, sed=1),
        "a step has no argument 'sed'; did you mean 'seed'?",
    ),
    "misspelt data": (
        lambda: STEP(PARAMS, seed=1, data={"y": np.ones(2)}),
        "unknown data 'y'; the graph declares 'x'",
    ),
    "seed of a bound step": (
        lambda: STEP.bind(PARAMS, seed=1, data=DATA),
        "step.bind takes no seed: fast = step.bind(params), then fast(seed)",
    ),
    "data by position": (
        lambda: STEP(PARAMS, DATA, seed=1),
        "a step takes its other arguments by name: step(params, seed=1, data={...})",
    ),
}


@pytest.mark.parametrize("row", MISTAKES)
def test_common_mistakes(row):
    make, message = MISTAKES[row]
    with pytest.raises(scg.CallError) as caught:
        make()
    assert str(caught.value) == message


def table(g, params):
    return scg.compare(g, {"a": scg.ScoreFunction()}, params, runs=2, seed=0, backend="numpy")


def mistakes():
    """Calls that are wrong, and words of the error that they get."""
    g, other = scg.Graph("toy"), scg.Graph("other")
    theta = g.parameter("theta", 0.4)
    b = g.sample("b", scg.Bernoulli(logits=theta))
    g.cost("loss", (b - 0.499) ** 2)
    step = scg.compile(g, scg.ScoreFunction(), backend="numpy")
    p, uniform = g.init(seed=0), step.noise(seed=0)
    return {
        "plate": (lambda: scg.Plate("p", lenght=3), "did you mean 'length'"),
        "no name": (lambda: scg.Plate(), 'write scg.Plate("batch")'),
        "state": (lambda: step(p, seed=0, state={"b": 3}), "node 'b'"),
        "noise": (lambda: step(p, noise={"b/u": 0.0 * uniform["b/u"]}), "'b/u' must be in (0, 1)"),
        "twice": (lambda: step(p, seed=0, data={"x": 1.0}, x=2.0), "'x' is given twice"),
        "two graphs": (lambda: scg.grad(b * theta, [other.parameter("t", 0.0)]), "graph 'other'"),
        "text": (lambda: scg.stop_gradient("a"), "got 'a'"),
        "list": (lambda: scg.relu([b, b]), "write np.stack"),
        "vjp": (lambda: scg.op(np.exp, vjp="a"), "vjp must be a function"),
        "layer": (lambda: scg.nn.mlp(step, "q", [3]), "its graph is step.graph"),
        "apply": (lambda: scg.optim.Adam(1e-3).apply(1, 2, 3), "params must be a mapping"),
        "page": (lambda: step.explain().to_html(3), "path must be a path"),
        "comparison": (lambda: table(g, p).plot(3), "path must be a path, or None"),
    }


@pytest.mark.parametrize("name", mistakes())
def test_mistakes_get_an_error_that_says_what_to_write(name):
    call, words = mistakes()[name]
    with pytest.raises(scg.ScgError, match=re.escape(words)):
        call()
