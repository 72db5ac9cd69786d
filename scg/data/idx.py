"""IDX, the file format of MNIST: a magic number, sizes, and then the values."""

from __future__ import annotations

import contextlib
import gzip
import math
import zlib
from collections.abc import Iterator
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from scg.arguments import checked
from scg.data.limits import LIMIT, check_size
from scg.errors import DataError

GZIP = b"\x1f\x8b"
#: The third byte of the magic number: the type of the values, which are big-endian.
TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
#: Axes at most: NumPy has no more.
AXES = 64


@checked('scg.data.read_idx("images-idx3-ubyte")', DataError)
def read_idx(path: str | PathLike[str], *, limit: int = LIMIT) -> np.ndarray:
    """Read an IDX file, gzipped or not.

    Parameters
    ----------
    path : str or Path
        The file.
    limit : int
        Bytes of values that the file may declare.

    Returns
    -------
    ndarray
        The values in native byte order, in the shape that the file states.

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
    """Yield a stream of what a file says, gzipped or not."""
    with path.open("rb") as file:
        if file.peek(2)[:2] == GZIP:
            with gzip.open(file) as unpacked:
                yield unpacked
        else:
            yield file
