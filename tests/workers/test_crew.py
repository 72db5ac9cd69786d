"""Chunks of work on executors, some of whose workers die."""

import functools
import multiprocessing
import pickle
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor

import pytest

import scg
from scg.workers import Crew, Work, tree_sum
from tests.workers import jobs

TWO = Work(jobs.power, (2,))


@pytest.fixture(scope="module")
def crew():
    with Crew(2) as crew:
        yield crew


def test_values_come_in_the_order_of_chunks(crew):
    assert crew.values(TWO, range(9)) == [2**i for i in range(9)]
    assert Crew(None).values(TWO, range(9)) == [2**i for i in range(9)]


def test_a_chunk_that_raises_or_kills_its_worker_costs_no_other(crew):
    chunks = [1, "die", 2, "raise", "exit", *range(3, 9)]
    found = dict(crew.outcomes(TWO, chunks))
    assert sorted(found) == list(range(len(chunks)))
    assert [found[i].value for i in (0, 2, *range(5, 11))] == [2**i for i in range(1, 9)]
    assert found[1].lost and "BrokenProcessPool" in found[1].failure
    assert found[3] == (None, "ValueError: a bad chunk", False)
    assert found[4].failure == "SystemExit: 3"
    with pytest.raises(scg.WorkerError, match="chunk 1 of 2 failed: ValueError: a bad chunk"):
        crew.values(TWO, [1, "raise"])


def test_a_chunk_whose_worker_died_once_is_computed_again(crew, tmp_path):
    assert crew.values(TWO, [str(tmp_path / "once")]) == ["second time"]


def test_without_retries_a_lost_chunk_is_lost(crew):
    crew.retries, before = 0, crew.retries
    try:
        [(_, outcome)] = crew.outcomes(TWO, ["die"])
    finally:
        crew.retries = before
    assert outcome.lost and "retries=0" in outcome.failure


def test_a_pool_of_the_user_that_breaks_is_an_error():
    pool = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))
    with pool, pytest.raises(scg.WorkerError, match=r"the executor is lost.*a number of processes"):
        list(Crew(pool).outcomes(TWO, ["die", 1]))


def test_any_object_with_submit_serves_and_stays_open():
    with ThreadPoolExecutor(2) as pool:
        with Crew(pool) as crew:
            assert crew.values(TWO, range(200)) == [2**i for i in range(200)]
        assert pool.submit(int).result() == 0


def test_an_executor_that_loses_single_chunks_is_used_again():
    class Flaky:
        """As Dask: only the future whose worker died raises, and the executor lives."""

        calls = 0

        def submit(self, function, *args):
            Flaky.calls += 1
            future = Future()
            if Flaky.calls % 3 == 1:
                future.set_exception(RuntimeError("KilledWorker"))
            else:
                future.set_result(function(*args))
            return future

    assert Crew(Flaky(), retries=3).values(TWO, range(20)) == [2**i for i in range(20)]
    assert Flaky.calls == 20 + (20 + 2) // 3 + 3  # of seven lost ones, some were lost twice


def test_a_function_makes_executors():
    with Crew(functools.partial(ThreadPoolExecutor, 1)) as crew:
        assert crew.values(TWO, [3]) == [8]


@pytest.mark.parametrize("executor", [0, True, -1, "dask", 2.5, object()])
def test_other_executors_are_refused(executor):
    with pytest.raises(scg.CallError, match="executor must be a number of processes"):
        Crew(executor)


def test_functions_without_a_module_are_refused(crew):
    with pytest.raises(scg.CallError, match=r"what workers build cannot be sent.*top level"):
        crew.values(Work(lambda: None), [1])
    with pytest.raises(scg.CallError, match="chunk 1 cannot be sent"):
        crew.values(TWO, [1, lambda: None])


def test_workers_have_one_thread_and_this_process_keeps_its_own(crew, monkeypatch):
    assert set(crew.values(Work(jobs.threads_of), range(4))) == {1}
    assert set(crew.values(Work(jobs.threads_of, (), 2), range(4))) == {2}
    asked = []
    monkeypatch.setattr("scg.workers.work.set_threads", asked.append)
    with ThreadPoolExecutor(1) as pool:
        Crew(pool).values(Work(jobs.threads_of, (), 3), [0])
    assert not asked


def test_the_sum_of_a_tree_depends_on_its_terms_alone():
    terms = [0.1 * i for i in range(7)]
    pairs = [terms[0] + terms[1], terms[2] + terms[3], terms[4] + terms[5], terms[6]]
    assert tree_sum(terms) == (pairs[0] + pairs[1]) + (pairs[2] + pairs[3])
    assert tree_sum([{"a": x} for x in terms]) == {"a": tree_sum(terms)}


def test_a_plate_stays_one_object_in_all_pickles():
    """Estimators name plates, and are sent beside the graph or after it."""
    g, particles = scg.Graph("p"), scg.Plate("particles", length=3)
    z = g.sample("z", scg.Bernoulli(logits=g.parameter("w", 0.4)), plates=particles)
    g.cost("loss", -scg.plate_logsumexp(0.3 * z, particles))
    estimator, params = scg.VIMCO(particles), g.init(0)
    alone = scg.compare(g, {"v": estimator}, params, runs=500, seed=0, backend="numpy")
    options = {"fixed": {"runs": 500, "backend": "numpy"}, "executor": 1}
    table = scg.study(g, {"estimator": {"v": estimator}, "seed": [0]}, **options)
    assert table.rows()[0].get("variance") == alone.rows["v"].variance, table.failed
    here = pickle.loads(pickle.dumps((g, estimator)))
    assert here[0].plates == (particles,) and here[1].plate is particles


def test_graphs_are_pickled_as_their_declaration():
    g = scg.Graph("toy")
    b = g.sample("b", scg.Bernoulli(logits=g.parameter("theta", 0.4)))
    g.cost("loss", (b - 0.499) ** 2)
    other = pickle.loads(pickle.dumps(g))
    assert other.to_json() == g.to_json()
    assert scg.exact(other, other.init(0)).cost == scg.exact(g, g.init(0)).cost
