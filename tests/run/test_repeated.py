"""Calls like the last one are recognized, whatever the caller does to the arrays meanwhile."""

import gc
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import scg
from scg.engine import sampler
from scg.engine.walk import intake

pytest.importorskip("numba")


def model(backend="numba", dtype="float64", many=0):
    g = scg.Graph("model")
    x = g.data("x", shape=(3,), plates=scg.Plate("batch"))
    k = g.data("k", kind="int")
    w, s = g.parameter("w", np.ones((2, 3))), g.parameter("s", 0.7)
    others = [g.parameter(f"v{i}", np.full(2, 0.1 * i)) for i in range(many)]
    z = g.sample("z", scg.Normal(np.sum(x * w[0] * w[1]), s))
    g.cost("loss", z**2 * k + sum(np.sum(v * v) * z for v in others))
    step = scg.compile(g, scg.ScoreFunction(), backend=backend, dtype=dtype)
    rng = np.random.default_rng(1)
    params = {name: rng.uniform(0.5, 1.0, v.shape).astype(dtype) for name, v in g.init(0).items()}
    return step, params, {"x": rng.normal(size=(4, 3)).astype(dtype), "k": np.array(2)}


@pytest.fixture(scope="module")
def step():
    return model()[0]


def arrays():
    return model("numpy")[1:]


def called(call, *args, **options):
    """Cost and gradients, or the error's message."""
    try:
        out = call(*args, **options)
    except scg.CallError as error:
        return str(error)
    return [out.cost, *map(np.array, out.grads.values())]


def copied(given):
    return {name: value if np.ma.isMA(value) else np.array(value) for name, value in given.items()}


def agree(step, params, data):
    """A call agrees with one that is bound to copies; return it."""
    found = called(step, params, seed=3, data=data)
    wanted = called(lambda: step.bind(copied(params), data=copied(data))(3))
    assert type(found) is type(wanted)
    if isinstance(found, str):
        assert found == wanted
    else:
        for one, other in zip(found, wanted, strict=True):
            np.testing.assert_array_equal(one, other)
    return found


def put(name, change):
    def changed(params, data):
        given = data if name in data else params
        given[name] = change(given[name])

    return changed


def within(name, change):
    def changed(params, data):
        change((data if name in data else params)[name])

    return changed


def swapped(params, data):
    for name in [*params][:-1]:
        params[name] = params.pop(name)


def mapped(array):
    import tempfile

    with tempfile.TemporaryFile() as file:
        made = np.memmap(file, array.dtype, "w+", shape=array.shape)
        made[...] = array
        return made


def unaligned(array):
    memory = np.zeros(array.nbytes + 1, np.uint8)
    made = memory[1:].view(array.dtype).reshape(array.shape)
    made[...] = array
    return made


SAME, OTHER = "the same results", "other results"
#: What happens to an argument, and its effect: part of the error, if there is one.
CHANGES = {
    "replaced": (put("w", lambda w: w * 2.0), OTHER),
    "values": (within("w", lambda w: w.fill(3.0)), OTHER),
    "data": (within("x", lambda x: x.fill(3.0)), OTHER),
    "shape": (within("w", lambda w: setattr(w, "shape", (3, 2))), "expected shape (2, 3)"),
    "axes": (within("w", lambda w: setattr(w, "shape", (6,))), "expected shape (2, 3)"),
    "resized": (within("w", lambda w: w.resize((1, 3), refcheck=False)), "got (1, 3)"),
    "dtype": (within("w", lambda w: setattr(w, "dtype", np.int64)), OTHER),
    "shorter dtype": (within("w", lambda w: setattr(w, "dtype", np.float32)), "got (2, 6)"),
    "integers": (within("k", lambda k: setattr(k, "dtype", float)), "declared as integers"),
    "batch": (put("x", lambda x: x[:2].copy()), OTHER),
    "data's axis": (put("x", lambda x: x.T.copy()), "expected shape"),
    "read-only": (within("w", lambda w: w.setflags(write=False)), SAME),
    "rows apart": (put("w", lambda w: np.repeat(w, 2, axis=0)[::2]), SAME),
    "Fortran": (put("w", np.asfortranarray), SAME),
    "reversed": (put("x", lambda x: x[::-1]), OTHER),
    "unaligned": (put("w", unaligned), SAME),
    "swapped bytes": (put("w", lambda w: w.astype(w.dtype.newbyteorder())), SAME),
    "mapped": (put("w", mapped), SAME),
    "masked": (put("w", lambda w: np.ma.masked_less(w, 0.9)), "masked"),
    "subclass": (put("w", lambda w: w.view(type("Own", (np.ndarray,), {}))), SAME),
    "list": (put("w", np.ndarray.tolist), SAME),
    "single": (put("w", lambda w: w.astype(np.float32)), OTHER),
    "scalar": (put("s", lambda s: np.float64(s) / 2), OTHER),
    "number": (put("s", lambda s: float(s) / 2), OTHER),
    "axis of one": (put("s", lambda s: s[None]), "expected shape"),
    "scalar of another type": (put("s", np.float32), OTHER),
    "text": (put("s", lambda s: "0.7"), "numbers"),
    "NaN": (within("w", lambda w: w.__setitem__((0, 1), np.nan)), OTHER),
    "scale of NaN": (within("s", lambda s: s.fill(np.nan)), "positive"),
    "negative": (within("s", lambda s: s.fill(-1.0)), "positive"),
    "order": (swapped, SAME),
    "missing": (lambda params, data: params.pop("s"), "'s' is missing"),
    "renamed": (lambda params, data: params.update(t=params.pop("s")), "unknown parameter 't'"),
    "further": (lambda params, data: params.update(t=1.0), "unknown parameter 't'"),
    "moved": (lambda params, data: params.update(x=data.pop("x")), "unknown parameter 'x'"),
}


@pytest.mark.parametrize("kind", CHANGES)
def test_a_change_between_calls_is_seen(step, kind):
    change, effect = CHANGES[kind]
    params, data = arrays()
    step._wait = step._pause = 0
    for _ in range(2):
        before = agree(step, params, data)
    assert step._last is not None
    change(params, data)
    found = agree(step, params, data)
    if effect in (SAME, OTHER):
        assert (found[0] == before[0]) == (effect == SAME)
    else:
        assert effect in found
    np.testing.assert_array_equal(agree(step, *arrays())[0], before[0])


@pytest.mark.parametrize("runs, dtype", [(1, "float32"), (3, "float64"), (10**5, "float32")])
def test_results_are_those_of_bound_steps(runs, dtype):
    step, params, data = model(dtype=dtype, many=sampler.ARRAYS)
    for seed in range(3):
        new = {name: value + value.dtype.type(0.1 * seed) for name, value in params.items()}
        found = step(new, seed=seed, runs=runs, data=data)
        wanted = step.bind(new, runs=runs, data=data)(seed)
        assert found.cost == wanted.cost
        for name, grad in wanted.grads.items():
            np.testing.assert_array_equal(found.grads[name], grad)
            np.testing.assert_array_equal(found.stderr[name], wanted.stderr[name])


def test_an_array_that_is_gone_may_leave_its_address(step):
    params, data = arrays()
    wanted = [agree(step, {**params, "w": np.full((2, 3), k)}, data) for k in (0.5, 1.5, 2.5)]
    assert len({float(one[0]) for one in wanted}) == 3
    w = params["w"].copy()
    gone = weakref.ref(w)
    step({**params, "w": w}, seed=3, data=data)
    del w
    gc.collect()
    assert gone() is None


def test_steps_and_threads_share_arrays(step):
    params, data = arrays()
    other, *_ = model()

    def work(one):
        return [called(one, params, seed=seed, data=data)[0] for seed in range(100)]

    with ThreadPoolExecutor(4) as pool:
        found = [*pool.map(work, [step, other] * 4)]
    bound = step.bind(params, data=data)
    wanted = [bound(seed).cost for seed in range(100)]
    for costs in found:
        np.testing.assert_array_equal(costs, wanted)


def test_attempts_become_rare_where_they_fail(step, monkeypatch):
    params, data = arrays()
    attempts = []
    again = sampler.MomentSampler.again
    monkeypatch.setattr(
        sampler.MomentSampler, "again", lambda *args: attempts.append(1) or again(*args)
    )
    step._wait = step._pause = 0
    for _ in range(200):
        step({**params, "s": 0.7}, seed=1, data=data)
    assert len(attempts) < 10
    for _ in range(100):
        step(params, seed=1, data=data)
    assert len(attempts) > 40


def test_unknown_headers_are_not_read(monkeypatch):
    assert intake.known()
    monkeypatch.setattr(intake, "_ITEMS", intake._ITEMS + 1)
    assert not intake.known.__wrapped__()
    monkeypatch.setattr(intake, "known", lambda: False)
    step, params, data = model(many=sampler.ARRAYS)
    for _ in range(3):
        agree(step, params, data)
