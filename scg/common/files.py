"""Replace files atomically, and lock them for one writer at a time."""

from __future__ import annotations

import contextlib
import errno
import glob
import json
import math
import os
import secrets
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def write_atomically(path: str | os.PathLike[str], content: bytes) -> None:
    """Replace a file by new content; readers see the old file or the new one, never a part.

    Several processes may write at once: each has its own temporary file. Permissions stay, and so
    does a symbolic link, whose target is replaced. A device or a pipe is written to.

    Raises
    ------
    OSError
        If the file cannot be written; the old one is untouched.
    """
    place = _file(path)
    scratch = place.with_name(f"{_scratch(place)}{os.getpid()}-{secrets.token_hex(4)}")
    try:
        if Path(path).exists() and not Path(path).is_file():
            Path(path).write_bytes(content)
            return
        with scratch.open("xb") as file:
            with contextlib.suppress(FileNotFoundError):
                scratch.chmod(stat.S_IMODE(place.stat().st_mode))
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(place)
        _sync_directory(place.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            scratch.unlink()
        raise type(error)(error.errno, error.strerror, os.fspath(path)) from None


@contextlib.contextmanager
def held(path: str | os.PathLike[str]) -> Iterator[None]:
    """Lock a file against other writers, and remove the temporary files of killed writers.

    The operating system releases the lock when the process ends, however it ends.

    Raises
    ------
    BlockingIOError
        If another process, or another thread of this one, holds the lock.
    OSError
        If the lock, a file beside `path`, cannot be made.
    """
    path = _file(path)  # a lock beside a link would not hold off those who name its target
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
    """JSON text; NaN and infinities, which JSON lacks, become null."""
    return json.dumps(_finite(value), allow_nan=False, **options)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _finite(entry) for name, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _file(path: str | os.PathLike[str]) -> Path:
    """The path of a file without symbolic links; its folder is made."""
    name = Path(path).name
    if not name or "\0" in os.fspath(path):  # "" and "/" are folders
        code = errno.EINVAL if name else errno.EISDIR
        raise OSError(code, os.strerror(code), os.fspath(path))
    place = Path(os.path.realpath(path))
    place.parent.mkdir(parents=True, exist_ok=True)
    return place


def _scratch(path: Path) -> str:
    """Prefix of the names of temporary files."""
    return f".{path.name}.partial-"


def _opened(lock: Path) -> int:
    """Descriptor of the locked file that lies at the path now, and not of one removed before."""
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
        """Do nothing: Windows cannot synchronise directories."""

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
