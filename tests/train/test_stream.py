"""Data that change: batches from an iterable."""

import numpy as np
import pytest

import scg
from tests.train.models import pixels, sbn


@pytest.fixture(scope="module")
def step():
    return scg.compile(sbn(), scg.ScoreFunction())


def batches(count=6):
    for i in range(count):  # of different lengths
        yield {"x": pixels()[: 3 + i % 4]}


def by_hand(step, count, epoch=None):
    params, optimizer, state = step.graph.init(3), scg.optim.SGD(0.1), None
    every = list(batches(epoch or count))
    for i in range(count):
        out = step(params, seed=(3, i), data=every[i % len(every)])
        params, state = optimizer.apply(params, out.grads, state)
    return params


def same(found, expected):
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-12)


OPTIONS = {"seed": 3, "optimizer": scg.optim.SGD(0.1)}


def test_a_generator_gives_one_batch_for_each_update(step):
    run = scg.fit(step, data=batches(), epochs=2, steps_per_epoch=3, **OPTIONS)
    same(run.params, by_hand(step, 6))
    assert [record["step"] for record in run.history] == [3, 6]


def test_a_list_is_an_epoch_and_is_iterated_anew(step):
    run = scg.fit(step, data=list(batches(4)), epochs=2, **OPTIONS)
    same(run.params, by_hand(step, 8, epoch=4))


def test_an_epoch_may_be_shorter_than_the_iterable(step):
    run = scg.fit(step, data=list(batches(4)), epochs=3, steps_per_epoch=2, **OPTIONS)
    same(run.params, by_hand(step, 6, epoch=4))


def test_a_resumed_run_passes_over_what_was_seen(step, tmp_path):
    options = {"steps_per_epoch": 2, "checkpoint": tmp_path / "c", **OPTIONS}
    scg.fit(step, data=batches(), epochs=1, **options)
    run = scg.fit(step, data=batches(), epochs=3, resume=True, **options)
    whole = scg.fit(step, data=batches(), epochs=3, **(options | {"checkpoint": None}))
    for name, value in whole.params.items():
        np.testing.assert_array_equal(run.params[name], value)


def test_the_transform_is_applied_to_each_batch(step):
    seen = []

    def note(batch, seed):
        seen.append((len(batch["x"]), seed))
        return batch

    scg.fit(step, data=batches(), steps_per_epoch=3, transform=note, **OPTIONS)
    assert seen == [(3, (3, 0)), (4, (3, 1)), (5, (3, 2))]


@pytest.mark.parametrize(
    ("data", "options", "message"),
    [
        (lambda: batches(2), {}, "an iterable of batches without a length; .* steps_per_epoch="),
        (lambda: batches(2), {"steps_per_epoch": 3}, "the iterable ended after 2 batches; give"),
        (lambda: [], {}, "steps_per_epoch must be a positive integer, got 0"),
        (
            lambda: [pixels()],
            {},
            "data: batch 0 is of type ndarray; a batch is a mapping from names",
        ),
        (
            lambda: iter([{"x": pixels()}, None]),
            {"steps_per_epoch": 2},
            "data: batch 1 is of type NoneType; a batch is",
        ),
        (lambda: [{"y": pixels()}], {}, "unknown data 'y'"),
        (lambda: [{"x": np.nan * pixels()}], {}, "data 'x': .* values are not finite"),
        (lambda: batches(2), {"steps_per_epoch": 2, "batch_size": 2}, "batch_size and plate split"),
        (lambda: "x.npz", {}, "scg.fit: data must be a mapping from names to arrays, an iter"),
    ],
)
def test_what_is_no_stream(step, data, options, message):
    with pytest.raises(scg.CallError, match=message):
        scg.fit(step, data=data(), **OPTIONS, **options)
