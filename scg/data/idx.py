"""IDX, the file format of MNIST: a magic number, sizes, and then the values."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

import numpy as np

from scg.errors import DataError

GZIP = b"\x1f\x8b"
#: The third byte of the magic number: the type of the values, which are big-endian.
TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def read_idx(path: str | Path) -> np.ndarray:
    """Read an IDX file, gzipped or not.

    Parameters
    ----------
    path : str or Path
        The file.

    Returns
    -------
    ndarray
        The values in native byte order, in the shape that the file states.

    Raises
    ------
    DataError
        If the file is missing, truncated, too long, or not IDX.
    """
    content = _content(Path(path))
    if len(content) < 4 or content[:2] != b"\0\0":
        raise DataError(f"{path}: not an IDX file: it begins with {content[:4].hex(' ') or '-'}")
    code, ndim = content[2], content[3]
    if code not in TYPES:
        raise DataError(f"{path}: unknown IDX type 0x{code:02x}")
    start = 4 + 4 * ndim
    if len(content) < start:
        raise DataError(f"{path}: truncated within its header")
    shape = tuple(np.frombuffer(content, ">u4", ndim, 4).tolist())
    dtype = np.dtype(TYPES[code])
    expected = int(np.prod(shape, dtype=object)) * dtype.itemsize
    if len(content) - start != expected:
        raise DataError(
            f"{path}: shape {shape} needs {expected} bytes of values, found {len(content) - start}"
        )
    values = np.frombuffer(content, dtype, offset=start).reshape(shape)
    return values.astype(dtype.newbyteorder("="))


def _content(path: Path) -> bytes:
    try:
        content = path.read_bytes()
        return gzip.decompress(content) if content.startswith(GZIP) else content
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from error
    except (EOFError, zlib.error) as error:
        raise DataError(f"{path}: damaged or truncated gzip ({error})") from error
