"""A progress bar on the standard error stream."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scg.train.run import Run


@contextlib.contextmanager
def progress_bar(total: int, done: int, shown: bool | str) -> Iterator[Callable[[Run], None]]:
    """Yield a function that shows how far a run is, after the text `shown`."""
    if not shown:
        yield lambda run: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeRemainingColumn as Remaining

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Remaining())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        title = f"{shown}: " if isinstance(shown, str) else ""
        task = bar.add_task(title, total=total, completed=done)

        def advance(run: Run) -> None:
            cost = f", cost {run.history[-1]['cost']:.3f}" if run.history else ""
            text = f"{title}epoch {run.epoch + 1}{cost}"
            bar.update(task, completed=run.now.count, description=text)

        yield advance
