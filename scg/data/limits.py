"""How much a data file may say that it holds: it is checked before anything is read."""

from __future__ import annotations

from os import PathLike

from scg.errors import DataError

#: Bytes of all arrays of a file; 70,000 images of 784 double-precision numbers have 439 million.
LIMIT = 1 << 31


def check_size(path: str | PathLike[str], declared: int, limit: int) -> None:
    """Raise if a file declares more bytes than it may."""
    if declared > limit:
        raise DataError(
            f"{path}: declares {declared} bytes of values, more than {limit}; if that is meant, "
            "read it with limit=..."
        )
