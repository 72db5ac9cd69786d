"""Law 8: baselines with state and own parameters never cost the gradient its unbiasedness."""

from dataclasses import replace

import numpy as np
import pytest

import scg

from .choices import CHOICES, DISCRETE, assert_close, compiled, warm
from .graphs import ROWS, THREE_LAYERS
from .oracle import Cost, Model, Theta, gradient

STATEFUL = ["score+moving", "score+network", "muprop-rollout+moving"]
CASES = ["chain_two_costs", "two_costs_one_node", "global_parent"]


def leaves(tree, path=()):
    """Every entry of a nested mapping with its path."""
    for key, value in tree.items():
        if hasattr(value, "items"):
            yield from leaves(value, (*path, key))
        else:
            yield (*path, key), np.asarray(value)


def assert_same_tree(left, right):
    left, right = dict(leaves(left)), dict(leaves(right))
    assert left.keys() == right.keys()
    for path, value in left.items():
        np.testing.assert_array_equal(value, right[path], err_msg=str(path))


@pytest.mark.parametrize("row", CASES)
@pytest.mark.parametrize("name", STATEFUL)
def test_the_second_call_is_unbiased_given_the_state_of_the_first(row, name):
    row = ROWS[row]
    step = compiled(row, name)
    state = step.init(seed=0)
    for seed in (1, 2):
        out = step(row.params, seed=seed, state=state, data=row.data)
        assert any(
            not np.array_equal(new, old)
            for (_, new), (_, old) in zip(leaves(out.state), leaves(state), strict=True)
        ), "the call left its state as it was"
        state = out.state
        m = scg.moments(step, row.params, data=row.data, state=state)
        assert_close(m.mean, row.grads, DISCRETE, "mean")


@pytest.mark.parametrize("name", STATEFUL)
def test_the_same_state_twice_gives_the_same_output(name):
    row = ROWS["chain_two_costs"]
    step = compiled(row, name)
    state = step(row.params, seed=1, state=step.init(seed=0)).state
    before = {path: np.array(value) for path, value in leaves(state)}
    first, second = (step(row.params, seed=2, runs=5, state=state) for _ in range(2))
    assert_close(first.grads, dict(second.grads), 0.0, "grads")
    assert_same_tree(first.state, second.state)
    assert_same_tree(first.estimator_grads, second.estimator_grads)
    for path, value in leaves(state):
        np.testing.assert_array_equal(value, before[path], err_msg=f"{path}: input was changed")


@pytest.mark.parametrize("name", ["score+moving", "score+unit", "score-normalized"])
def test_an_empty_batch_leaves_numbers_in_the_state(name):
    """A mean over none of its elements would be NaN in all later calls."""
    g = scg.Graph("sums")
    x = g.data("x", plates=scg.Plate("batch", reduce="sum"))
    b = g.sample("b", scg.Bernoulli(logits=g.parameter("w", 0.4) * x))
    g.cost("loss", (b - 0.3) ** 2)
    step = scg.compile(g, CHOICES[name](g), backend="numpy")
    out = step({"w": 0.4}, seed=1, x=[], state=step.init(seed=0))
    assert out.grads["w"] == 0
    for path, value in (*leaves(out.state), *leaves(out.estimator_grads)):
        assert np.all(np.isfinite(value)), path


def test_moving_average_is_of_earlier_costs():
    """new = 0.9 old + 0.1 cost; the baseline is old / weight, the gradient shows it exactly."""
    row = ROWS["two_costs_one_node"]
    step = compiled(row, "score+moving")
    state = {"b": {"average": np.array(0.7), "weight": np.array(0.5)}}
    assert set(dict(leaves(step.init(seed=0)))) == set(dict(leaves(state)))
    m = scg.moments(step, row.params, state=state)
    assert float(m.state["b"]["average"]) == pytest.approx(0.9 * 0.7 + 0.1 * row.cost, abs=DISCRETE)
    assert float(m.state["b"]["weight"]) == pytest.approx(0.9 * 0.5 + 0.1, abs=DISCRETE)
    theta, phi = row.params["theta"], row.params["phi"]
    p = 1 / (1 + np.exp(-theta))
    one, zero = (
        (b - 0.45) ** 3 + np.exp(-1.3 * b * phi) + theta * phi - 0.7 / 0.5 for b in (1.0, 0.0)
    )
    # The score is (1 - p) at one and -p at zero.
    variance = p * (1 - p) * ((1 - p) * one + p * zero) ** 2
    assert float(m.variance["theta"]) == pytest.approx(float(variance), abs=DISCRETE)


def test_moving_average_needs_no_correction_after_its_first_call():
    """From the initial state, one call makes the baseline the cost of that call alone."""
    row = ROWS["two_costs_one_node"]
    step = compiled(row, "score+moving")
    out = step(row.params, seed=3, state=step.init(seed=0))
    own = out.state["b"]
    assert float(own["average"] / own["weight"]) == pytest.approx(float(out.cost), abs=1e-12)


def test_a_learned_baseline_lowers_the_variance_and_keeps_the_mean():
    row = THREE_LAYERS
    step = compiled(row, "score+network")
    state = step.init(seed=0)
    first = scg.moments(step, row.params, state=state)
    for _ in range(40):
        m = scg.moments(step, row.params, state=state)
        assert_close(m.mean, row.grads, DISCRETE, "mean")
        state = descend(state, m.estimator_grads, m.state, rate=0.2)
    last = scg.moments(step, row.params, state=state)
    assert sum(np.sum(v) for v in last.variance.values()) < 0.5 * sum(
        np.sum(v) for v in first.variance.values()
    )


def descend(state, grads, new, rate):
    """One exact gradient step on the estimators' parameters; states take their mean new value."""
    return {
        node: {
            name: value - rate * np.asarray(grads[node][name])
            if name in grads.get(node, {})
            else new[node][name]
            for name, value in own.items()
        }
        for node, own in state.items()
    }


def test_estimator_gradients_are_those_of_least_squares():
    """A root node's network is its offset alone: d/d offset of E(cost - centre - offset)²."""
    row = ROWS["two_costs_one_node"]
    step = compiled(row, "score+network")
    state = step.init(seed=0)
    state = {"b": {**state["b"], "average": np.array(0.2), "weight": np.array(0.5)}}
    state["b"]["offset"] = np.array(0.9)
    m = scg.moments(step, row.params, state=state)
    expected = -2 * (row.cost - 0.2 / 0.5 - 0.9)
    assert set(m.estimator_grads["b"]) == {"offset"}
    assert float(m.estimator_grads["b"]["offset"]) == pytest.approx(expected, abs=DISCRETE)
    out = step(row.params, seed=0, state=state)
    assert set(out.grads) == set(row.params), "own parameters are no parameters of the model"


def test_a_network_below_a_draw_learns_by_least_squares():
    """Every weight of b's network, which sees a: the loss is written anew and enumerated."""
    row = ROWS["chain_two_costs"]
    step = compiled(row, "score+network")
    state = warm(step.init(seed=3))
    own = {name: value for name, value in state["b"].items() if name not in ("average", "weight")}
    assert {name: value.shape for name, value in own.items()} == {
        "offset": (),
        "W0": (1, 4),
        "b0": (4,),
        "out": (4,),
    }

    def loss(t, v):
        hidden = np.tanh(np.array([v["a"]]) @ t["W0"] + t["b0"])
        centre = state["b"]["average"] / state["b"]["weight"]
        second = row.model.costs[1].value(Theta(row.params), v)
        return (second - centre - hidden @ t["out"] - t["offset"]) ** 2

    nodes = [
        replace(c, probability=lambda t, v, x, c=c: c.probability(Theta(row.params), v, x))
        for c in row.model.conditionals
    ]
    expected = gradient(Model(nodes, [Cost(loss)]), own)
    m = scg.moments(step, row.params, state=state)
    assert_close(m.estimator_grads["b"], expected, DISCRETE, "estimator_grads")


def test_stateless_steps_have_an_empty_state():
    row = ROWS["chain_two_costs"]
    step = scg.compile(row.build(), estimator=scg.LeaveOneOut(samples=2))
    assert not list(leaves(step.init(seed=0)))
    assert not list(leaves(step(row.params, seed=0).estimator_grads))
