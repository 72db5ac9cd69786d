"""Metrics for TensorBoard; needs the extra ``train``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from scg.errors import UnsupportedError

if TYPE_CHECKING:
    from scg.train.run import Run


class TensorBoard:
    """A callback that copies the numbers among an epoch's metrics to TensorBoard.

    It stands last among the callbacks, since it sees the metrics of those before it.

    Parameters
    ----------
    folder : str or Path
        Where TensorBoard looks.

    Raises
    ------
    UnsupportedError
        If tensorboardX is not installed.
    """

    def __init__(self, folder: str | Path):
        try:
            from tensorboardX import SummaryWriter
        except ImportError as error:
            raise UnsupportedError(
                "TensorBoard needs tensorboardX: pip install 'scg[train]'"
            ) from error
        self.writer: Any = SummaryWriter(str(folder))

    def __call__(self, run: Run) -> None:
        """Copy the metrics of the last epoch."""
        record = run.history[-1]
        for name, value in record.items():
            if isinstance(value, (int, float)) and name not in ("epoch", "step"):
                self.writer.add_scalar(name, value, record["step"])
        self.writer.flush()
