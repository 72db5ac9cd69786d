"""Exercises: the solution is right, each mistake gets its advice, and other answers a reason."""

import inspect
import re

import numpy as np
import pytest
from scipy.special import expit

import scg
from scg.course import EXERCISES, mark

LESSONS = pytest.mark.parametrize("lesson", EXERCISES)


@LESSONS
def test_the_solution_is_right_and_a_changed_one_is_not(lesson):
    exercise = EXERCISES[lesson]
    assert mark(lesson, exercise.solution).reason == exercise.praise
    for change in (lambda x: x * (1 + 1e-6), lambda x: x + 1e-6):
        assert not mark(lesson, lambda _f=exercise.solution, _c=change, **case: _c(_f(**case)))


@LESSONS
def test_each_mistake_gets_its_own_advice(lesson):
    exercise = EXERCISES[lesson]
    assert len(exercise.mistakes) >= 3
    for advice, mistake in exercise.mistakes.items():
        found = mark(lesson, mistake)
        assert not found
        assert repr(found) == f"not yet: {advice}"


@LESSONS
def test_a_sign_is_named_where_no_mistake_is_known(lesson):
    exercise = EXERCISES[lesson]
    flipped = mark(lesson, lambda **case: -exercise.solution(**case))
    assert not flipped
    assert flipped.reason == "the sign is wrong"


@LESSONS
def test_an_unknown_answer_is_shown_the_first_case_that_fails(lesson):
    found = mark(lesson, lambda **case: EXERCISES[lesson].solution(**case) + 0.125)
    first = EXERCISES[lesson].cases[0]
    assert all(f"{name}=" in found.reason for name in first)
    assert "and should be" in found.reason


@LESSONS
def test_answers_take_the_arguments_that_the_solution_takes(lesson):
    exercise = EXERCISES[lesson]
    names = set(inspect.signature(exercise.solution).parameters)
    assert all(set(case) == names for case in exercise.cases)


@pytest.mark.parametrize(
    ("lesson", "answer", "reason"),
    [
        (2, lambda b: b, r"a function of \(b, theta, t\) is called here; it raised TypeError"),
        (3, lambda theta, t: 1 / 0, "it raised ZeroDivisionError"),
        (3, lambda theta, t: np.nan, "it is nan, and should be"),
        (3, lambda theta, t: "a half", "it raised ValueError"),
        (3, lambda theta, t: None, "it is nan|it raised TypeError"),
        (9, lambda rewards: 0.0, r"the shape is \(\), and should be \(8,\)"),
        (9, lambda rewards: list(EXERCISES[9].solution(rewards)), "each baseline is independent"),
    ],
)
def test_odd_answers(lesson, answer, reason):
    assert re.search(reason, mark(lesson, answer).reason)


def test_an_answer_may_change_its_arguments():
    def centred(rewards):
        rewards -= rewards.mean()
        return rewards

    for _ in range(2):
        assert "contains the sample itself" in mark(9, centred).reason
    assert mark(9, EXERCISES[9].solution)


def test_a_small_difference_is_shown():
    found = mark(1, lambda **case: np.float32(EXERCISES[1].solution(**case))).reason
    shown = re.findall(r"0\.\d+", found.partition("it is")[2])
    assert len(set(shown)) == 2


@pytest.mark.parametrize(
    ("lesson", "answer", "message"),
    [
        (0, abs, "lesson must be a positive integer"),
        (11, abs, "no lesson 11; the lessons are 1 to 10"),
        (2, 0.5, "must be a function"),
    ],
)
def test_wrong_calls(lesson, answer, message):
    with pytest.raises(scg.errors.CallError, match=message):
        mark(lesson, answer)


def coin(t: float) -> scg.Graph:
    g = scg.Graph("coin")
    b = g.sample("b", scg.Bernoulli(logits=g.parameter("theta", 0.0)))
    g.cost("loss", (b - t) ** 2)
    return g


def solution(lesson, **arguments):
    return EXERCISES[lesson].solution(**arguments)


@pytest.mark.parametrize("point", EXERCISES[1].cases, ids=str)
def test_solutions_have_the_true_means(point):
    """Each estimate of lessons 1, 2, 6 and 10 has the mean that `scg.exact` computes."""
    theta, t = point["theta"], point["t"]
    truth, p = scg.exact(coin(t), {"theta": theta}), expit(theta)
    gradient, hessian = truth.grads["theta"], truth.hessian["theta"]["theta"]
    for lesson, wanted in ((2, gradient), (6, gradient), (10, hessian)):
        mean = p * solution(lesson, b=1, **point) + (1 - p) * solution(lesson, b=0, **point)
        np.testing.assert_allclose(mean, wanted, rtol=1e-12)
    np.testing.assert_allclose(solution(1, **point), gradient, rtol=1e-12)
    best = scg.ScoreFunction(scg.baselines.Constant(solution(3, **point)))
    assert scg.moments(scg.compile(coin(t), best), {"theta": theta}).variance["theta"] < 1e-15


def test_solutions_agree_with_estimators():
    case = EXERCISES[7].cases[0]
    g = scg.Graph("classes")
    x = g.sample("x", scg.OneHotCategorical(logits=g.parameter("logits", case["logits"])))
    g.cost("loss", x @ case["costs"])
    np.testing.assert_allclose(
        solution(7, **case), scg.exact(g, g.init(seed=0)).grads["logits"], rtol=1e-12
    )


def test_conditional_latents_have_the_distribution_of_the_latent():
    """Mixed over b, z̃ is logistic with location θ: its CDF is the mixture of the cells' CDFs."""
    theta, p, v = 0.4, expit(0.4), np.linspace(0.001, 0.999, 999)
    for b in (1, 0):
        z = np.array([solution(8, b=b, v=x, theta=theta) for x in v])
        assert np.all((z > 0) == (b == 1))
        inside = (expit(z - theta) - (0 if b == 0 else 1 - p)) / (p if b else 1 - p)
        np.testing.assert_allclose(inside, v, rtol=1e-9)
