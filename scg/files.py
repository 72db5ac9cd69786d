"""Files that are replaced whole, and places that one run at a time may write to."""

from __future__ import annotations

import contextlib
import glob
import json
import math
import os
import secrets
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def write_atomically(path: str | os.PathLike[str], content: bytes) -> None:
    """Replace a file by new content; at every moment one of the two lies there, whole.

    Several processes may write at once: each has a temporary file of its own.

    Raises
    ------
    OSError
        If the file cannot be written; what lay there is untouched.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f"{_scratch(path)}{os.getpid()}-{secrets.token_hex(4)}")
    try:
        with scratch.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(path)
        _sync_directory(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            scratch.unlink()
        error.filename, error.filename2 = os.fspath(path), None
        raise


@contextlib.contextmanager
def held(path: str | os.PathLike[str]) -> Iterator[None]:
    """Hold a file that nobody else is to write meanwhile, and remove what killed writers left.

    The system gives the lock back when the process ends, however it ends.

    Raises
    ------
    BlockingIOError
        If another process holds the file, or another thread of this one.
    OSError
        If the lock, a file beside `path`, cannot be made.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = path.with_name(f".{path.name}.lock")
    descriptor = _opened(lock)
    try:
        for left in path.parent.glob(f"{glob.escape(_scratch(path))}*"):
            left.unlink(missing_ok=True)
        yield
    finally:
        with contextlib.suppress(OSError):  # Windows removes no open file
            lock.unlink()
        os.close(descriptor)


def json_text(value: Any, **options: Any) -> str:
    """Return JSON; what it cannot say, NaN and infinities, is null."""
    return json.dumps(_finite(value), allow_nan=False, **options)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _finite(entry) for name, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _scratch(path: Path) -> str:
    """Return what the names of temporary files begin with."""
    return f".{path.name}.partial-"


def _opened(lock: Path) -> int:
    """Return the descriptor of a locked file, which is the one that lies at its path."""
    while True:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            _lock(descriptor)
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(descriptor), lock.stat()):
                    return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)  # its last holder has removed it


if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> None:
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except PermissionError as error:
            raise BlockingIOError(error.errno, error.strerror) from error

    def _sync_directory(path: Path) -> None:
        """Do nothing: directories cannot be synchronised here."""

else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _sync_directory(path: Path) -> None:
        """Make a rename in a directory durable."""
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
