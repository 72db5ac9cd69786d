"""Optimizers against their papers' recursions, written out once more for scalars."""

import math

import numpy as np
import pytest

import scg
from scg.train.optim import SGD, Adam, AdamW, ClipNorm, ClipValue, Optimizer, RMSprop, schedules

GRADS = [0.5, -1.5, 0.25, 2.0, -0.1]


def sgd(theta, rate=0.1, m=0.0, nesterov=False):
    v = 0.0
    for g in GRADS:
        v = m * v + g
        theta -= rate * (g + m * v if nesterov else v)
    return theta


def rmsprop(theta, rate=0.1, a=0.9, m=0.0, eps=1e-8):
    s = v = 0.0
    for g in GRADS:
        s = a * s + (1 - a) * g * g
        v = m * v + g / (math.sqrt(s) + eps)
        theta -= rate * v
    return theta


def adam(theta, rate=0.1, b1=0.9, b2=0.999, eps=1e-8, decay=0.0):
    m = v = 0.0
    for t, g in enumerate(GRADS, start=1):
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g * g
        theta -= rate * decay * theta
        theta -= rate * (m / (1 - b1**t)) / (math.sqrt(v / (1 - b2**t)) + eps)
    return theta


CASES = {
    "sgd": (SGD(0.1), sgd(1.0)),
    "momentum": (SGD(0.1, momentum=0.9), sgd(1.0, m=0.9)),
    "nesterov": (SGD(0.1, momentum=0.9, nesterov=True), sgd(1.0, m=0.9, nesterov=True)),
    "rmsprop": (RMSprop(0.1), rmsprop(1.0)),
    "rmsprop momentum": (RMSprop(0.1, decay=0.8, momentum=0.5), rmsprop(1.0, a=0.8, m=0.5)),
    "adam": (Adam(0.1), adam(1.0)),
    "adam betas": (Adam(0.1, beta1=0.5, beta2=0.9), adam(1.0, b1=0.5, b2=0.9)),
    "adamw": (AdamW(0.1, decay=0.3), adam(1.0, decay=0.3)),
}


@pytest.mark.parametrize("name", CASES)
def test_recursion(name):
    optimizer, expected = CASES[name]
    params, state = {"a": np.array(1.0), "b": np.full((2, 3), 1.0)}, None
    for g in GRADS:
        params, state = optimizer.apply(params, {"a": np.array(g), "b": np.full((2, 3), g)}, state)
    assert state.count == len(GRADS)
    np.testing.assert_allclose(params["a"], expected, rtol=1e-14)
    np.testing.assert_allclose(params["b"], np.full((2, 3), expected), rtol=1e-14)


def test_the_cases_differ():
    assert len({round(expected, 12) for _, expected in CASES.values()}) == len(CASES)


def test_the_old_arrays_are_not_touched():
    params, grads = {"a": np.ones(3)}, {"a": np.full(3, 2.0)}
    for optimizer, _ in CASES.values():
        _, state = optimizer.apply(params, grads)
        before = {name: array.copy() for name, array in state.slots["a"].items()}
        optimizer.apply(params, grads, state)
        np.testing.assert_array_equal(params["a"], np.ones(3))
        np.testing.assert_array_equal(grads["a"], np.full(3, 2.0))
        for name, array in before.items():
            np.testing.assert_array_equal(state.slots["a"][name], array)


def test_an_own_optimizer_is_one_method():
    class Sign(Optimizer):
        def update(self, value, grad, slots, rate, count):
            return value - rate * np.sign(grad), {**slots, "last": grad}

    params, state = Sign(0.5).apply({"a": np.zeros(2)}, {"a": np.array([3.0, -1.0])})
    np.testing.assert_array_equal(params["a"], [-0.5, 0.5])
    np.testing.assert_array_equal(state.slots["a"]["last"], [3.0, -1.0])


def test_a_schedule_is_read_with_the_number_of_updates_made():
    optimizer = SGD(schedules.Piecewise(1.0, ((2, 0.1),)))
    params, state, seen = {"a": np.array(0.0)}, None, []
    for _ in range(4):
        before = params["a"]
        params, state = optimizer.apply(params, {"a": np.array(1.0)}, state)
        seen.append(float(before - params["a"]))
    np.testing.assert_allclose(seen, [1.0, 1.0, 0.1, 0.1])


def test_a_parameter_without_gradient_stays():
    params, _ = SGD(0.1).apply({"a": np.ones(1), "b": np.ones(1)}, {"a": np.ones(1)})
    assert params["b"] == 1.0


def test_clip_norm_is_joint_and_keeps_direction():
    grads = {"a": np.array([3.0, 0.0]), "b": np.array(4.0)}
    clipped = ClipNorm(2.5)(grads)
    np.testing.assert_allclose(clipped["a"], [1.5, 0.0])
    np.testing.assert_allclose(clipped["b"], 2.0)
    np.testing.assert_array_equal(ClipNorm(100.0)(grads)["a"], grads["a"])
    np.testing.assert_array_equal(ClipNorm(1.0)({"a": np.zeros(2)})["a"], np.zeros(2))


def test_clip_value_is_elementwise_and_used():
    optimizer = SGD(1.0, clip=ClipValue(0.5))
    params, _ = optimizer.apply({"a": np.zeros(3)}, {"a": np.array([-9.0, 0.25, 9.0])})
    np.testing.assert_array_equal(params["a"], [0.5, -0.25, -0.5])


@pytest.mark.parametrize(
    "wrong, message",
    [
        (np.ma.array([1.0, 2.0], mask=[0, 1]), "is a masked array"),
        ([1j, 1.0], "expected real numbers, got an array of dtype complex128"),
        (["a", "b"], "expected real numbers"),
        ([[1.0], [1.0, 2.0]], "expected an array of numbers"),
    ],
)
def test_gradients_and_parameters_are_arrays_of_real_numbers(wrong, message):
    rule = scg.optim.Adam(0.1)
    with pytest.raises(scg.CallError, match=f"Adam: the gradient of 'w'.*{message}"):
        rule.apply({"w": [1.0, 2.0]}, {"w": wrong})
    with pytest.raises(scg.CallError, match=f"Adam: parameter 'w'.*{message}"):
        rule.apply({"w": wrong}, {"w": [1.0, 2.0]})
    new, _ = scg.optim.SGD(0.5).apply({"w": [1, 2]}, {"w": [2, 0]})
    np.testing.assert_array_equal(new["w"], [0.0, 2.0])


def test_a_gradient_that_is_not_finite_is_an_error_with_its_name():
    with pytest.raises(scg.CallError, match=r"gradient of 'b' is not finite after 0 updates.*Clip"):
        Adam().apply({"a": np.ones(1), "b": np.ones(1)}, {"a": np.ones(1), "b": np.array([np.nan])})


@pytest.mark.parametrize("wrong", [2.0, np.ones(3), np.ones((2, 1))], ids=np.shape)
def test_a_gradient_has_the_shape_of_its_parameter(wrong):
    with pytest.raises(scg.CallError, match=r"'a' is of shape \(2,\), its gradient of shape \("):
        SGD(0.1).apply({"a": np.ones(2)}, {"a": wrong})


def test_the_state_of_another_optimizer_is_an_error():
    params = {"a": np.ones(2)}
    _, state = SGD(0.1, momentum=0.9).apply(params, params)
    with pytest.raises(scg.CallError, match=r"Adam: the state is that of another .* velocity for"):
        Adam(0.1).apply(params, params, state)


@pytest.mark.parametrize("wrong", [None, (np.ones(3), {}), (np.ones(2), None)])
def test_what_an_own_optimizer_or_a_clip_returns_is_checked(wrong):
    class Own(Optimizer):
        def update(self, value, grad, slots, rate, count):
            return wrong

    params = {"a": np.ones(2)}
    with pytest.raises(scg.CallError, match=r"Own.update must return a new value of shape \(2,\) "):
        Own().apply(params, params)
    for clip in (lambda grads: None, lambda grads: {}):
        with pytest.raises(scg.CallError, match="SGD: clip must return the gradients by name, got"):
            SGD(clip=clip).apply(params, params)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SGD(0.1, momentum=1.0), "SGD: momentum must be a number at least 0 and below 1"),
        (lambda: SGD(0.1, nesterov=True), "nesterov=True needs momentum"),
        (lambda: SGD(0.1, 0.9, nesterov=1), "SGD: nesterov must be True or False, got 1"),
        (lambda: Adam(lazy="yes"), "Adam: lazy must be True or False, got 'yes'"),
        (lambda: Adam(lazy=None), "Adam: lazy must be True or False, got None"),
        (lambda: Adam(beta2=1.5), "Adam: beta2 must be a number at least 0 and below 1, got 1.5"),
        (lambda: RMSprop(decay=-0.1), "RMSprop: decay must be a number"),
        (lambda: Adam(-1), r"Adam: rate must be a number at least 0, got -1; write Adam\(1e-3\)"),
        (lambda: SGD("fast"), "SGD: rate must be a number at least 0, got 'fast'"),
        (lambda: Adam(np.nan), "Adam: rate must be a number"),
        (lambda: Adam(lambda count: -count).rate_at(2), "Adam: rate must be .*, got -2"),
        (lambda: Adam(epsilon=0.0), "Adam: epsilon must be a number above 0"),
        (lambda: AdamW(decay=-1.0), "AdamW: decay must be a number at least 0"),
        (lambda: Adam(clip=5.0), r"clip must be a function .*ClipNorm\(5.0\), got 5.0"),
        (lambda: Adam(clip=lambda: 5.0), r"clip must be .*, got the function <lambda>\(\)"),
        (
            lambda: Adam(lambda: 0.1),
            r"rate must be .*, got the function <lambda>\(\); .* a schedule",
        ),
        (lambda: ClipNorm(-1.0), "ClipNorm: limit must be a number above 0"),
        (lambda: ClipValue(np.inf), "ClipValue: limit must be a number above 0"),
        (lambda: schedules.ExponentialDecay(0.1, 0.5, every=0), "every must be a positive integer"),
        (lambda: schedules.ExponentialDecay("a", 0.5), "rate must be a number at least 0, got 'a'"),
        (lambda: schedules.Cosine(None, 5), "Cosine: rate must be a number at least 0, got None"),
        (lambda: schedules.Piecewise(0.1, (10, 0.1)), r"factors must be pairs .*, got \(10, 0.1\)"),
        (lambda: schedules.Piecewise(0.1, [(1.5, 0.1)]), "count of a factor must be an integer"),
        (lambda: schedules.Cosine(0.1, length=-5), "length must be a positive integer"),
    ],
)
def test_wrong_options(make, message):
    with pytest.raises(scg.CallError, match=message):
        make()


def test_exponential_and_cosine_end_where_they_say():
    assert schedules.ExponentialDecay(1.0, 0.5, every=10)(30) == 0.125
    rate = schedules.Cosine(1.0, length=100, final=0.2, warmup=4)
    assert [rate(0), rate(3)] == [0.25, 1.0]
    assert rate(52) == pytest.approx(0.6)
    assert rate(100) == rate(1000) == pytest.approx(0.2)
