"""Crew: the workers behind an executor, and what becomes of chunks whose workers are lost."""

from __future__ import annotations

import contextlib
import functools
import multiprocessing
import pickle
import queue
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
from typing import Any

from scg.common.arguments import said, takes
from scg.errors import CallError, WorkerError
from scg.workers.work import Outcome, Work, packed, perform, reason

#: Chunks that are handed to an executor and not yet finished, at most.
WINDOW = 64


class Crew:
    """Workers that compute chunks: a context, which ends the executors that it made.

    A chunk whose worker is lost, or that was waiting in a pool that broke, is computed again,
    alone, so that one that kills its workers takes no other chunk along.

    Parameters
    ----------
    executor : None, int, executor, or callable
        None computes in this process. A number starts so many processes here, and again after a
        loss. An object has ``submit(function, *arguments)``, which returns a future with
        ``result`` and ``add_done_callback``: pools of :mod:`concurrent.futures`,
        ``dask.distributed.Client``, loky's executor. Of a function without arguments that makes
        such an object, another one is made after a loss.
    retries : int
        How often a chunk is computed again after a loss.
    """

    def __init__(self, executor: Any = None, retries: int = 1):
        self.retries, self._inside = retries, executor is None
        self._make: Callable[[], Any] | None = None
        self._executor: Any = None
        if isinstance(executor, int) and not isinstance(executor, bool) and executor > 0:
            self._make = functools.partial(_processes, executor)
        elif callable(getattr(executor, "submit", None)):
            self._executor = executor
        elif takes(executor, 0):
            self._make = executor
        elif executor is not None:
            raise CallError(
                "executor must be a number of processes, an object with submit such as "
                "concurrent.futures.ProcessPoolExecutor(2) or distributed.Client(), or a function "
                f"without arguments that makes one, got {said(executor)}"
            )

    def __enter__(self) -> Crew:
        return self

    def __exit__(self, *_: Any) -> None:
        self._end()

    def values(self, work: Work, chunks: Sequence[Any]) -> list[Any]:
        """The values of all chunks, in their order.

        Raises
        ------
        WorkerError
            If a chunk has no value.
        """
        found: list[Any] = [None] * len(chunks)
        for i, outcome in self.outcomes(work, chunks):
            if outcome.failure:
                raise WorkerError(f"chunk {i} of {len(chunks)} failed: {outcome.failure}")
            found[i] = outcome.value
        return found

    def outcomes(self, work: Work, chunks: Sequence[Any]) -> Iterator[tuple[int, Outcome]]:
        """The number and outcome of each chunk, once each, as they are computed.

        Raises
        ------
        WorkerError
            If the executor is lost and none can be made in its place.
        """
        if self._inside:
            yield from _here(work, chunks)
            return
        text = work.packed
        sent = [packed(chunk, f"chunk {i}") for i, chunk in enumerate(chunks)]
        waiting, flying = deque(range(len(chunks))), set()
        suspects, done = [], queue.SimpleQueue()
        while waiting or flying:
            while waiting and len(flying) < WINDOW and not (flying and suspects):
                future = self._submit(text, sent[waiting[0]], 0)
                i = waiting.popleft()
                flying.add(i)
                future.add_done_callback(lambda future, i=i: done.put((i, future)))
            i, future = done.get()
            flying.remove(i)
            outcome = self._outcome(future)
            if outcome.lost:
                suspects.append(i)
            else:
                yield i, outcome
            if suspects and not flying:
                yield from self._again(text, sent, suspects)
                suspects = []

    def _again(
        self, text: bytes, sent: Sequence[bytes], suspects: list[int]
    ) -> Iterator[tuple[int, Outcome]]:
        """Compute chunks that were lost, one at a time."""
        for i in sorted(suspects):
            outcome = Outcome(failure="not computed again (retries=0)", lost=True)
            for attempt in range(1, 1 + self.retries):
                outcome = self._outcome(self._submit(text, sent[i], attempt))
                if not outcome.lost:
                    break
            yield i, outcome

    def _submit(self, text: bytes, chunk: bytes, attempt: int) -> Any:
        """A future of the executor, or of a new one if it is broken."""
        lost: Exception | None = None
        for _ in range(2):
            if self._executor is None and self._make is not None:
                self._executor = self._make()
            try:
                return self._executor.submit(perform, text, chunk, attempt)  # pyright: ignore[reportOptionalMemberAccess]
            except Exception as error:  # every executor has errors of its own
                lost = error
                if self._make is None:
                    break
                self._end()
        raise WorkerError(
            f"the executor is lost ({lost and reason(lost)}); give executor= a "
            "number of processes, or a function that makes executors, to go on by itself"
        ) from lost

    def _outcome(self, future: Any) -> Outcome:
        try:
            value, failure = future.result()
        except Exception as error:  # perform raises nothing
            if isinstance(error, BrokenExecutor) and self._make is not None:
                self._end()
            return Outcome(failure=f"lost with its worker ({reason(error)})", lost=True)
        return Outcome(failure=failure) if failure else Outcome(pickle.loads(value))

    def _end(self) -> None:
        """Shut down an executor that was made here."""
        if self._make is not None and self._executor is not None:
            with contextlib.suppress(Exception):  # it may be broken
                self._executor.shutdown(wait=False, cancel_futures=True)
            self._executor = None


def _here(work: Work, chunks: Sequence[Any]) -> Iterator[tuple[int, Outcome]]:
    """Compute in this process; nothing is pickled."""
    function = work.factory(*work.arguments)
    for i, chunk in enumerate(chunks):
        try:
            outcome = Outcome(function(chunk))
        except (Exception, SystemExit) as error:  # a job may raise anything
            outcome = Outcome(failure=reason(error))
        yield i, outcome


def _processes(count: int) -> ProcessPoolExecutor:
    # A fork of a process with threads may deadlock.
    return ProcessPoolExecutor(count, mp_context=multiprocessing.get_context("spawn"))
