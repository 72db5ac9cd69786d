"""Metrics for TensorBoard; needs the extra ``train``."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from typing import Any

from scg.common.arguments import checked
from scg.errors import UnsupportedError
from scg.train.metrics import Writer

#: Records are on disk after so long.
SECONDS = 1


class TensorBoard(Writer):
    """A writer of metrics that copies the numbers of each record to TensorBoard.

    The cost of a single update is shown as "update/cost", beside the "cost" of epochs.
    A thread writes the file, about a second later.

    Parameters
    ----------
    folder : str or Path
        Where TensorBoard looks.

    Raises
    ------
    UnsupportedError
        If tensorboardX is not installed.
    """

    @checked("scg.train.TensorBoard(folder)")
    def __init__(self, folder: str | PathLike[str]):
        try:
            from tensorboardX import SummaryWriter
        except ImportError as error:
            raise UnsupportedError(
                "TensorBoard needs tensorboardX: pip install 'scgrad[train]'"
            ) from error
        # Its method `flush` does not wait for records that its thread has yet to write.
        self.writer: Any = SummaryWriter(str(folder), flush_secs=SECONDS)

    def write(self, record: Mapping[str, Any]) -> None:
        """Copy one record."""
        for name, value in record.items():
            if isinstance(value, (int, float)) and name not in ("epoch", "step"):
                tag = name if "epoch" in record else f"update/{name}"
                self.writer.add_scalar(tag, value, record["step"])
