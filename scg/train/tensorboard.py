"""Metrics for TensorBoard; needs the extra ``train``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scg.errors import UnsupportedError
from scg.train.metrics import Writer


class TensorBoard(Writer):
    """A writer of metrics that copies the numbers of each record to TensorBoard.

    The cost of a single update is shown as "update/cost", beside the "cost" of epochs.

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
                "TensorBoard needs tensorboardX: pip install 'scgrad[train]'"
            ) from error
        self.writer: Any = SummaryWriter(str(folder))

    def write(self, record: Mapping[str, Any]) -> None:
        """Copy one record."""
        of_epoch = "epoch" in record
        for name, value in record.items():
            if isinstance(value, (int, float)) and name not in ("epoch", "step"):
                tag = name if of_epoch else f"update/{name}"
                self.writer.add_scalar(tag, value, record["step"])
        if of_epoch:
            self.writer.flush()
