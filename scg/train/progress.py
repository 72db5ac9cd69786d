"""A progress bar on the standard error stream."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from scg.common.console import progress_console

if TYPE_CHECKING:
    from scg.train.run import Run


@contextlib.contextmanager
def progress_bar(
    run: Run, total: int, per_epoch: int, shown: bool | str
) -> Iterator[Callable[[], None]]:
    """Yield a function that shows how far a run is, after the text `shown`.

    It is called after each update, before an epoch is finished; the cost that it shows is the mean
    over the updates of this epoch.
    """
    if not shown:
        yield lambda: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeRemainingColumn as Remaining

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Remaining())
    with Progress(*columns, console=progress_console()) as bar:
        title = f"{shown}: " if isinstance(shown, str) else ""
        task = bar.add_task(title, total=total, completed=run.now.count)

        def advance() -> None:
            epoch, position = divmod(run.now.count - 1, per_epoch)
            cost = run.now.cost / (position + 1)
            text = f"{title}epoch {epoch + 1}, cost {cost:.3f}"
            bar.update(task, completed=run.now.count, description=text)

        try:
            yield advance
        finally:
            bar.refresh()  # a notebook shows nothing anew when the bar is left
