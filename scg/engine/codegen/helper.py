"""A second process that compiles kernels into the disk cache while this one does.

Both take kernels from one list, each from its end, and look into the cache before they compile.
They need not agree on shares, and nobody waits: if the helper is late, dies or hangs, this process
compiles the rest. The helper also imports NumPy and numba, which takes half a second; it starts
only where much is to be compiled and a core is idle.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from scg.common.lazy import building
from scg.engine.codegen import cache, native

#: Fewest statements in all missing kernels for which a helper gains more than its imports take.
WORTH = 350
#: Statements that a call counts for whose function is compiled with the kernel.
CALLED = 40
#: Seconds that the helper has to end when it is no longer needed.
PATIENCE = 1.0

_CALL = re.compile(r"\b(?:draw|row|scalar)_\w+\(|\b(?:lead|help_out)\(")

#: The helper ends when the pipe closes, even while it compiles, but not while it writes a file.
_PROGRAM = """
import json, os, sys, threading
given, writing = json.loads(sys.stdin.readline()), threading.Lock()
def end():
    sys.stdin.read()
    with writing:
        os._exit(0)
threading.Thread(target=end, daemon=True).start()
sys.path[:] = given["path"]
from scg.engine.codegen import helper
helper.serve(given["kernels"], writing)
"""


def prepare(sources: Iterable[str], threads: int) -> None:
    """Load kernels, and compile those that the cache lacks; with one thread, without a helper."""
    with building:
        given = dict.fromkeys((source, ()) for source in sources)
        missing = {kernel: None for kernel in given if not native.load(*kernel)}
        scalars = {kernel: None for source, _ in missing for kernel in native.scalars(source)}
        missing |= {kernel: None for kernel in scalars if not native.load(*kernel)}
        # Long ones first from either end: where both meet, the one that both compile is short.
        longest = sorted(missing, key=_statements, reverse=True)
        order = longest[::2] + longest[1::2][::-1]
        helped = threads > 1 and sum(map(_statements, order)) >= WORTH and _may_help()
        with _helper(order[::-1]) if helped else contextlib.nullcontext():
            for kernel in order:
                native.address(*kernel)


def serve(kernels: Iterable[tuple[str, list[str], str]], writing: threading.Lock) -> None:
    """Compile kernels, given with their keys, into the cache; this runs in the helper."""
    for source, codes, key in kernels:
        kernel = source, tuple(codes)
        if native.identity(*kernel) == key and cache.read(key) is None:
            payload = native.compiled(*kernel)
            with writing:
                cache.write(key, payload)


def _statements(kernel: native.Kernel) -> int:
    """Statements of a kernel, and of the functions that are compiled with it, roughly."""
    return kernel[0].count("\n") + CALLED * len(_CALL.findall(kernel[0]))


def cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _may_help() -> bool:
    """Whether a core is idle, the cache takes entries, and Python can be started anew.

    A frozen program is its own executable, and a pool of processes has work for all cores.
    """
    import multiprocessing

    busy = os.getloadavg()[0] if hasattr(os, "getloadavg") else 1.0
    folder = cache.directory()
    return (
        cores() > max(busy, 1.0)
        and folder is not None
        and os.access(folder, os.W_OK)
        and cache.limit() > 0.0
        and "python" in Path(sys.executable or "").name.lower()
        and not getattr(sys, "frozen", False)
        and multiprocessing.parent_process() is None
    )


@contextlib.contextmanager
def _helper(kernels: list[native.Kernel]) -> Iterator[None]:
    """Let a helper compile in this block."""
    import json
    import subprocess

    keyed = [(*kernel, native.identity(*kernel)) for kernel in kernels]
    given = {"path": [folder for folder in sys.path if isinstance(folder, str)], "kernels": keyed}
    sent, done = threading.Event(), threading.Event()
    try:
        process = subprocess.Popen(
            [sys.executable, "-I", *["-B"] * sys.dont_write_bytecode, "-c", _PROGRAM],
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # an interrupt from the keyboard is for this process
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        arguments = process, json.dumps(given).encode() + b"\n", sent, done
        threading.Thread(target=_attend, args=arguments, daemon=True).start()
    except (OSError, RuntimeError) as error:
        _say(str(error))
        yield
        return
    try:
        yield
        if process.poll():
            _say(f"status {process.returncode}")
    finally:
        done.set()
        if not sent.is_set():  # it does not even listen
            process.kill()


def _attend(process: Any, given: bytes, sent: threading.Event, done: threading.Event) -> None:
    """Tell the helper what to compile, and end it when all is done."""
    with contextlib.suppress(OSError), process.stdin as pipe:
        while given:
            given = given[pipe.write(given) :]
        sent.set()
        done.wait()
    with contextlib.suppress(Exception):  # of a timeout
        process.wait(PATIENCE)
    process.kill()
    process.wait()


def _say(why: str) -> None:
    import logging

    logging.getLogger("scg").warning(
        "a process that helps to compile kernels failed (%s); this one compiled the rest", why
    )
