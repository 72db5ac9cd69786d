"""Frame: rows as a data frame."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from scg.errors import ScgError


def frame(rows: Iterable[Mapping[str, Any]]) -> Any:
    """The rows as a pandas DataFrame.

    Raises
    ------
    ScgError
        If pandas is not installed.
    """
    try:
        import pandas
    except ImportError:
        raise ScgError("a data frame needs pandas: pip install 'scgrad[frame]'") from None
    return pandas.DataFrame.from_records(list(rows))
