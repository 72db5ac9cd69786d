"""NumPy archives, read without unpickling anything."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import numpy as np

from scg.errors import DataError


def read_npz(path: str | Path) -> dict[str, np.ndarray]:
    """Read all arrays of an npz archive.

    Parameters
    ----------
    path : str or Path
        The file.

    Raises
    ------
    DataError
        If the file is missing, damaged, not an archive, or holds pickled objects.
    """
    try:
        with Path(path).open("rb") as file:  # ours to close: np.load leaks it on damage
            archive = np.load(file, allow_pickle=False)
            if isinstance(archive, np.ndarray):
                raise DataError(f"{path}: one bare array, expected an npz archive")
            return {name: archive[name] for name in archive.files}
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from error
    except DataError:
        raise
    except (ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        why = "pickled objects are not read" if "pickle" in str(error) else error
        raise DataError(f"{path}: damaged or not an npz archive ({why})") from error
