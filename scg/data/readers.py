"""Readers of IDX and npz files, which check what a file declares before they read it."""

from __future__ import annotations

import contextlib
import gzip
import math
import zipfile
import zlib
from collections.abc import Iterator
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from scg.common.arguments import checked
from scg.errors import DataError

#: Bytes of all arrays of a file; 70,000 images of 784 double-precision numbers have 439 million.
LIMIT = 1 << 31


def check_size(path: str | PathLike[str], declared: int, limit: int) -> None:
    """Raise if a file declares more bytes than the limit."""
    if declared > limit:
        raise DataError(
            f"{path}: declares {declared} bytes of values, more than {limit}; if that is meant, "
            "read it with limit=..."
        )


# --- IDX, the file format of MNIST ----------------------------------------------------------------
GZIP = b"\x1f\x8b"
#: Types of values by the third byte of the magic number; values are big-endian.
TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
#: Largest number of axes, which is NumPy's.
AXES = 64


@checked('scg.data.read_idx("images-idx3-ubyte")', DataError)
def read_idx(path: str | PathLike[str], *, limit: int = LIMIT) -> np.ndarray:
    """Array of an IDX file, gzipped or not.

    IDX is the format of the MNIST files. To load the whole data set use :func:`load`.

    Parameters
    ----------
    path : str or Path
        The file.
    limit : int
        Largest number of bytes of values that the file may declare.

    Returns
    -------
    ndarray
        The values in native byte order, in the shape that the file declares.

    Raises
    ------
    DataError
        If the file is missing, truncated, too long, too large, or not IDX.
    """
    path = Path(path)
    try:
        with _opened(path) as file:
            head = file.read(4)
            if len(head) < 4 or head[:2] != b"\0\0":
                found = head.hex(" ") or "-"
                raise DataError(f"{path}: not an IDX file: it begins with {found}")
            code, ndim = head[2], head[3]
            if code not in TYPES:
                raise DataError(f"{path}: unknown IDX type 0x{code:02x}")
            if ndim > AXES:
                raise DataError(f"{path}: {ndim} axes, more than {AXES}")
            sizes = file.read(4 * ndim)
            if len(sizes) < 4 * ndim:
                raise DataError(f"{path}: truncated within its header")
            shape = tuple(np.frombuffer(sizes, ">u4").tolist())
            dtype = np.dtype(TYPES[code])
            expected = math.prod(shape) * dtype.itemsize
            check_size(path, expected, limit)
            values = file.read(expected + 1)
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from error
    except (EOFError, zlib.error) as error:
        raise DataError(f"{path}: damaged or truncated gzip ({error})") from error
    if len(values) != expected:
        found = "more" if len(values) > expected else len(values)
        raise DataError(f"{path}: shape {shape} needs {expected} bytes of values, found {found}")
    return np.frombuffer(values, dtype).reshape(shape).astype(dtype.newbyteorder("="))


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Stream of the unpacked bytes of a file."""
    with path.open("rb") as file:
        if file.peek(2)[:2] == GZIP:
            with gzip.open(file) as unpacked:
                yield unpacked
        else:
            yield file


# --- npz, NumPy's archives ------------------------------------------------------------------------
@checked('scg.data.read_npz("data.npz")', DataError)
def read_npz(path: str | PathLike[str], *, limit: int = LIMIT) -> dict[str, np.ndarray]:
    """Arrays of an npz archive by name, without unpickling.

    It differs from ``numpy.load`` in the checks: sizes before reading, and one kind of error.

    Parameters
    ----------
    path : str or Path
        The file.
    limit : int
        Largest number of bytes of all arrays that the file may declare.

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
    # a damaged zip or NumPy header raises errors of many types
    except Exception as error:
        raise DataError(f"{path}: damaged or not an npz archive ({_line(error)})") from error


def _name(path: str | PathLike[str], member: zipfile.ZipInfo) -> str:
    if not member.filename.endswith(".npy"):
        raise DataError(f"{path}: holds {member.filename!r:.80}, which is not an array")
    return member.filename.removesuffix(".npy")


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> np.ndarray:
    """One array, after a check that its header and the archive declare equal sizes."""
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
