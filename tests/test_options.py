"""Options of estimators and baselines: a wrong name or kind is one error that names the option."""

import inspect

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
        with pytest.raises(scg.EstimatorError, match=rf"{name}|expected the plate"):
            cls(**{**needed, name: value})


ROWS = {
    "misspelt": (
        lambda: scg.LeaveOneOut(sample=4),
        "LeaveOneOut has no option 'sample'; did you mean 'samples'?; it takes samples",
    ),
    "too many": (
        lambda: scg.LeaveOneOut(4, 5),
        "LeaveOneOut: too many positional arguments; write LeaveOneOut(samples)",
    ),
    "missing": (
        lambda: baselines.Constant(),
        "Constant: missing a required argument: 'value'; write Constant(value)",
    ),
    "class": (
        lambda: scg.ScoreFunction(baseline=baselines.MovingAverage),
        "ScoreFunction: baseline must be a baseline such as scg.baselines.MovingAverage(), got "
        "the class MovingAverage; write MovingAverage()",
    ),
    "number": (
        lambda: scg.MuProp(baseline=0.5),
        "MuProp: baseline must be a baseline such as scg.baselines.MovingAverage(), got 0.5",
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
