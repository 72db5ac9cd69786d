"""Frame: rows as a data frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from scg.errors import ScgError


def frame(rows: Sequence[Mapping[str, Any]]) -> Any:
    """The rows as a pandas DataFrame."""
    try:
        import pandas
    except ImportError:
        raise ScgError(
            "a data frame needs pandas: pip install 'scgrad[frame]'; .rows() needs nothing"
        ) from None
    return pandas.DataFrame.from_records(list(rows))
