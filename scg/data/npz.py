"""NumPy archives, read without unpickling anything."""

from __future__ import annotations

import math
import zipfile
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from scg.arguments import checked
from scg.data.limits import LIMIT, check_size
from scg.errors import DataError


@checked('scg.data.read_npz("data.npz")', DataError)
def read_npz(path: str | PathLike[str], *, limit: int = LIMIT) -> dict[str, np.ndarray]:
    """Read all arrays of an npz archive.

    Parameters
    ----------
    path : str or Path
        The file.
    limit : int
        Bytes of all arrays that the file may declare.

    Raises
    ------
    DataError
        If the file is missing, damaged, too large, not an archive, or holds pickled objects.
    """
    try:
        with Path(path).open("rb") as file:
            if file.peek(6).startswith(np.lib.format.MAGIC_PREFIX):
                raise DataError(f"{path}: one bare array, expected an npz archive")
            with zipfile.ZipFile(file) as archive:
                members = archive.infolist()
                check_size(path, sum(member.file_size for member in members), limit)
                if len({member.filename for member in members}) < len(members):
                    raise ValueError("an array is there twice")
                return {_name(path, m): _array(archive, m) for m in members}
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from error
    except DataError:
        raise
    # A zip, and a header of NumPy's in it, can be wrong in more ways than have names.
    except Exception as error:
        raise DataError(f"{path}: damaged or not an npz archive ({_line(error)})") from error


def _name(path: str | PathLike[str], member: zipfile.ZipInfo) -> str:
    if not member.filename.endswith(".npy"):
        raise DataError(f"{path}: holds {member.filename!r:.80}, which is no array")
    return member.filename.removesuffix(".npy")


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> np.ndarray:
    """Read one array, whose header declares as many bytes as the archive does."""
    with archive.open(member) as file:
        version = np.lib.format.read_magic(file)
        if version not in _HEADERS:
            raise ValueError(f"version {version} of NumPy's format")
        shape, _, dtype = _HEADERS[version](file)
        if dtype.hasobject:
            raise ValueError("pickled objects are not read")
        declared = math.prod(shape) * dtype.itemsize
        if file.tell() + declared != member.file_size:
            raise ValueError(f"{member.filename!r:.80} is not as long as its header declares")
        file.seek(0)
        return np.lib.format.read_array(file, allow_pickle=False)


_HEADERS: dict[tuple[int, int], Any] = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


def _line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:200]
