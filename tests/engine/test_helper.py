"""A second process that compiles kernels: what it makes, and what happens without it."""

import json
import os
import subprocess
import sys
import time

import llvmlite.binding as llvm
import pytest

from scg.engine.codegen import cache, helper, native

pytest.importorskip("numba")

KERNELS = [
    "def kernel(table):\n    for i in range(word(table, 0)):\n"
    "        x = load_f8(word(table, 1), i, 0, 2)\n"
    f"        store_f8(word(table, 2), i, {text}, 1, 2)\n"
    for text in ("exp_f8(x)", "x * x", "stirling(x, i8(0))")
]


@pytest.fixture
def started(tmp_path, monkeypatch):
    """Helpers that start, on an idle machine of two cores with an empty cache."""
    found = []

    class Process(subprocess.Popen):
        def __init__(self, *args, **named):
            super().__init__(*args, **named)
            found.append(self)

    monkeypatch.setenv("SCG_CACHE_DIR", str(tmp_path / "kernels"))
    monkeypatch.setattr(subprocess, "Popen", Process)
    monkeypatch.setattr(native, "_addresses", {})
    monkeypatch.setattr(helper, "WORTH", 0)
    monkeypatch.setattr(helper, "PATIENCE", 0.05)
    monkeypatch.setattr(helper, "cores", lambda: 2)
    monkeypatch.setattr(os, "getloadavg", lambda: (0.5, 0.5, 0.5), raising=False)
    return found


def code(payload):
    """Machine code of a kernel, without the names that numba numbers."""
    file = llvm.ObjectFileRef.from_data(payload.partition(b"\0")[2])
    return [part.data() for part in file.sections() if part.is_text()]


def ended(process):
    for _ in range(500):
        if process.returncode is not None:
            return process.returncode
        time.sleep(0.01)
    raise AssertionError("the helper still runs")


def test_the_helper_makes_the_machine_code_that_this_process_makes(started, monkeypatch):
    own = {}

    def waits(source, codes=()):
        """Let the helper compile all."""
        own[source] = compiled(source, codes)
        for _ in range(3000):
            payload = cache.read(native.identity(source, codes))
            if payload is not None:
                assert code(payload) == code(own[source]) != []
                return payload
            time.sleep(0.01)
        raise AssertionError("the helper compiled nothing")

    compiled = native.compiled
    monkeypatch.setattr(native, "compiled", waits)
    helper.prepare(KERNELS, threads=2)
    assert own and len(started) == 1
    assert all(native.load(source) for source in KERNELS)
    assert native.load(*native.scalars(KERNELS[2])[0])
    ended(started[0])


@pytest.mark.parametrize("program", ["raise SystemExit(3)", "import time; time.sleep(600)"])
def test_a_helper_that_dies_or_hangs_changes_nothing(started, monkeypatch, caplog, program):
    dies = "Exit" in program
    monkeypatch.setattr(helper, "_PROGRAM", program)
    compiled = native.compiled
    if dies:
        waiting = lambda *kernel: (started[0].wait(), compiled(*kernel))[1]  # noqa: E731
        monkeypatch.setattr(native, "compiled", waiting)
    long = "    # what fills a pipe\n" * 10_000
    helper.prepare([source + long for source in KERNELS[:2]], threads=2)
    assert all(native.load(source + long) for source in KERNELS[:2])
    assert (ended(started[0]) == 3) is dies
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == dies and all("(status 3)" in line for line in said)


def test_the_helper_ends_with_the_process_that_started_it(tmp_path):
    kernels = [f"{KERNELS[1]}    # {number}\n" for number in range(300)]
    given = {"path": sys.path, "kernels": [(k, (), native.identity(k)) for k in kernels]}
    command = [sys.executable, "-I", "-c", helper._PROGRAM]
    environment = {**os.environ, "SCG_CACHE_DIR": str(tmp_path)}
    process = subprocess.Popen(command, stdin=subprocess.PIPE, env=environment)
    process.stdin.write(json.dumps(given).encode() + b"\n")
    process.stdin.close()
    assert process.wait(60) == 0 and len(list(tmp_path.iterdir())) < 300


def test_an_executable_that_cannot_start_is_said(started, monkeypatch, caplog):
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    helper.prepare(KERNELS[:1], threads=2)
    assert native.load(KERNELS[0]) and "No such file" in caplog.text


WITHOUT = {
    "one thread": lambda patch: 1,
    "one core": lambda patch: patch.setattr(helper, "cores", lambda: 1),
    "busy cores": lambda patch: patch.setattr(os, "getloadavg", lambda: (2.0,) * 3, raising=False),
    "no cache": lambda patch: patch.setenv("SCG_CACHE_DIR", ""),
    "a cache without room": lambda patch: patch.setenv("SCG_CACHE_SIZE", "0"),
    "a cache that is only read": lambda patch: patch.setattr(os, "access", lambda *_: False),
    "little work": lambda patch: patch.setattr(helper, "WORTH", 100),
    "another program": lambda patch: patch.setattr(sys, "executable", "/usr/bin/blender"),
    "a frozen program": lambda patch: patch.setattr(sys, "frozen", True, raising=False),
    "a pool": lambda patch: patch.setattr("multiprocessing.parent_process", lambda: "pool"),
}


@pytest.mark.parametrize("why", WITHOUT)
def test_no_helper_starts_with(why, started, monkeypatch):
    threads = WITHOUT[why](monkeypatch) or 2
    helper.prepare(KERNELS[1:2], threads=threads)
    assert native.load(KERNELS[1]) and not started
