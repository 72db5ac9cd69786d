"""Comparisons on workers: the same bits, whoever computes."""

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import scg
from scg.verify import distributed
from scg.workers import Crew

CHOICE = {"score": scg.ScoreFunction(), "st": scg.StraightThrough(), "loo": scg.LeaveOneOut(3)}


@pytest.fixture(scope="module")
def graph():
    g = scg.Graph("discrete")
    x = g.data("x", plates=scg.Plate("batch"))
    a = g.sample("a", scg.Bernoulli(logits=x * g.parameter("t", 0.4)))
    b = g.sample("b", scg.Bernoulli(logits=a * g.parameter("w", [0.4, -0.9, 0.2])))
    g.cost("loss", np.sum((b - 0.3) ** 3) * (a + 0.5))
    return g


class Shuffled:
    """Computes at once, in the worst order for running sums, and loses every third call."""

    def __init__(self, pool):
        self.pool, self.calls = pool, 0

    def submit(self, function, *args):
        self.calls += 1
        future = self.pool.submit(function, *args)
        if self.calls % 3 == 0:
            future.result()
            future = self.pool.submit(os.stat, "/there/is/nothing")
        return future


def table(graph, **options):
    found = scg.compare(
        graph, CHOICE, graph.init(0), data={"x": np.array([1.0, -2.0])}, seed=3, backend="numpy",
        **{"runs": 1500} | options,
    )  # fmt: skip
    rows = found.to_dict()["rows"].values()
    return [{k: v for k, v in row.items() if k not in ("seconds", "work")} for row in rows]


def test_the_same_bits_for_any_number_of_workers_and_lost_ones(graph, monkeypatch):
    monkeypatch.setattr(distributed, "CHUNK", 101)
    with ThreadPoolExecutor(1) as one, ThreadPoolExecutor(7) as seven:
        first = table(graph, executor=one)
        assert table(graph, executor=seven) == first
        shuffled = Shuffled(seven)
        assert table(graph, executor=shuffled) == first and shuffled.calls > 3 * 15
        assert table(graph, executor=one, equal="evaluations")[2]["runs"] == 500
    here = table(graph)
    for row, plain in zip(first, here, strict=True):
        for name in ("variance", "variance_stderr", "z"):
            assert row[name] == pytest.approx(plain[name], rel=1e-9, abs=1e-9)
        np.testing.assert_allclose(row["mean"]["w"], plain["mean"]["w"], rtol=1e-9, atol=1e-12)


def test_processes_compute_the_same_bits(graph):
    with ThreadPoolExecutor(1) as one:
        first = table(graph, executor=one, runs=5000)
    assert table(graph, executor=2, runs=5000) == first


def test_what_cannot_be_sent_is_said(graph):
    with pytest.raises(
        scg.WorkerError, match="chunk 0 of 1 failed: CallError: data 'x' is missing"
    ):
        with ThreadPoolExecutor(1) as one:
            far = distributed.Distributed(
                Crew(one), graph, CHOICE, {"loo": (graph.init(0), None, None)}, 0, {}
            )
            far("loo", 10)
    g = scg.Graph("own")
    reward = scg.op(lambda b: 2 * b, name="my reward")
    g.cost("loss", reward(g.sample("b", scg.Bernoulli(logits=g.parameter("t", 0.0)))))
    with pytest.raises(scg.CallError, match=r"cannot be sent to workers.*custom op"):
        with ThreadPoolExecutor(1) as one:
            scg.compare(g, {"a": scg.ScoreFunction()}, g.init(0), runs=9, seed=0, executor=one)
