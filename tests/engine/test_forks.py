"""Forks and threads: whatever another thread does meanwhile, a child and its parent go on."""

import gc
import os
import subprocess
import sys
import threading

import numpy as np
import pytest

import scg
from scg.common.lazy import cached_property
from scg.ir import collector

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")

#: A thread compiles one kernel after the other; children that are forked meanwhile compile theirs.
FORKS = """
import os, signal, threading, time
from scg.engine.codegen import native

def kernel(number):
    body = "".join(f"        x = exp_f8(x) + f8({number}.{k})\\n" for k in range(4))
    return (
        "def kernel(table):\\n    for i in range(word(table, 0)):\\n"
        "        x = load_f8(word(table, 1), i, 0, 4)\\n" + body +
        "        store_f8(word(table, 2), i, x, 1, 4)\\n"
    )

native.address(kernel(0))
done = threading.Event()

def compile_kernels():
    for number in range(1, 1000):
        native.address(kernel(number))
        if done.is_set():
            return

thread = threading.Thread(target=compile_kernels)
thread.start()
codes = []
for child in range(4):
    time.sleep(0.03 * (child + 1))
    pid = os.fork()
    if pid == 0:
        signal.alarm(60)  # a child that hangs dies of it
        native.address(kernel(2000 + child))
        os._exit(0)
    codes.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
done.set()
thread.join()
print(codes)
"""


def test_children_forked_during_a_compilation_compile():
    pytest.importorskip("numba")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORKS],
        env={**os.environ, "SCG_CACHE_DIR": ""},
        capture_output=True,
        text=True,
        check=True,
        timeout=200,
    )
    assert done.stdout == "[0, 0, 0, 0]\n"


#: A thread loads the engine; a child that is forked meanwhile loads it, too.
LOADS = """
import os, signal, threading, time
import scg

g = scg.Graph("toy")
b = g.sample("b", scg.Bernoulli(logits=g.parameter("theta", 0.4)))
g.cost("loss", (b - 0.499) ** 2)
step, params = scg.compile(g, scg.ScoreFunction(), backend="numba"), g.init(seed=0)
thread = threading.Thread(target=step, args=(params,), kwargs={"seed": 0})
thread.start()
codes = []
for pause in (0.01, 0.03, 0.06):
    time.sleep(pause)
    pid = os.fork()
    if pid == 0:
        signal.alarm(60)
        step(params, seed=1)
        os._exit(0)
    codes.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
thread.join()
print(codes)
"""


def test_children_forked_while_the_engine_is_loaded_load_it():
    pytest.importorskip("numba")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", LOADS],
        capture_output=True,
        text=True,
        check=True,
        timeout=200,
    )
    assert done.stdout == "[0, 0, 0]\n"


def forked(act):
    """The exit code of a child that does something while a thread of its parent is busy."""
    pid = os.fork()
    if pid == 0:
        os._exit(act())
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_a_child_collects_garbage_again():
    inside, leave = threading.Event(), threading.Event()

    def rewrite():
        with collector.paused():
            inside.set()
            leave.wait()

    thread = threading.Thread(target=rewrite)
    thread.start()
    inside.wait()
    assert not gc.isenabled()
    code = forked(lambda: 0 if gc.isenabled() else 3)
    leave.set()
    thread.join()
    assert code == 0 and gc.isenabled()


@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_a_child_waits_for_no_attribute_that_a_thread_computes():
    inside, leave = threading.Event(), threading.Event()

    class Slow:
        def __init__(self, wait):
            self.wait = wait

        @cached_property
        def value(self):
            """A number."""
            if self.wait:
                inside.set()
                leave.wait()
            return 5

    thread = threading.Thread(target=lambda: Slow(True).value)
    thread.start()
    inside.wait()

    def read():
        import signal

        signal.alarm(20)
        return Slow(False).value

    code = forked(read)
    leave.set()
    thread.join()
    assert code == 5 and Slow.value.__doc__ == "A number."


def test_threads_share_tables_at_any_switch_interval(monkeypatch):
    """Fewer tables than sizes, so that threads make and drop them all the time."""
    executable = pytest.importorskip("scg.engine.walk.executable")
    g = scg.Graph("m")
    x = g.data("x", plates=scg.Plate("batch"))
    g.cost("loss", x * g.parameter("t", 2.0))
    step = scg.compile(g, backend="numba")
    engine = step.program.engine()
    (plate,) = engine.schedule.plates
    monkeypatch.setattr(executable, "PLANS", 3)
    monkeypatch.setattr(executable, "Ports", lambda engine, sizes: sizes)
    monkeypatch.setattr(executable, "Table", lambda *given: given[-2])  # the ports
    interval, errors = sys.getswitchinterval(), []

    def work(number):
        try:
            for turn in range(30_000):
                size = 1 + (number * 7 + turn * turn) % 11
                assert engine.plan({plate: size}) == {plate: size}
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert not errors
    assert len(engine._plans) <= 3 + len(threads)


def test_threads_call_one_step_with_many_sizes():
    pytest.importorskip("numba")
    g = scg.Graph("m")
    x = g.data("x", shape=(3,), plates=scg.Plate("batch"))
    z = g.sample("z", scg.Bernoulli(logits=g.parameter("t", np.zeros(3)) * x))
    g.cost("loss", np.sum((z - 0.4) ** 2))
    data = {size: np.linspace(-1, 1, 3 * size).reshape(size, 3) for size in range(1, 13)}
    truth = scg.compile(g, scg.ScoreFunction(), backend="numpy")
    step = scg.compile(g, scg.ScoreFunction(), backend="numba")
    want = {size: truth({"t": np.zeros(3)}, seed=size, x=data[size]).cost for size in data}
    interval, wrong = sys.getswitchinterval(), []

    def work(number):
        for turn in range(40):
            size = 1 + (number * 5 + turn * 7) % 12
            try:
                found = step({"t": np.zeros(3)}, seed=size, x=data[size]).cost
            except BaseException as error:
                wrong.append(error)
                return
            if abs(found - want[size]) > 1e-12:
                wrong.append((size, found))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert not wrong
