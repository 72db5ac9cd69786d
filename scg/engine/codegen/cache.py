"""The disk cache of compiled kernels: content-addressed, private, bounded, and never trusted.

An entry is a file named by the hash of its inputs. It holds a magic line, the hash of the payload,
and the payload. A damaged or truncated entry does not match its hash and counts as absent. Finished
files are renamed into place, so that processes may write at once or be killed. The entries that
were not used for the longest time are removed first.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import stat
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from scg.errors import CallError

SIZE = "SCG_CACHE_SIZE"
#: Megabytes of all entries, if the environment variable does not say otherwise.
MEGABYTES = 256.0
#: Seconds after which the temporary file of a killed writer is removed.
STALE = 3600

_MAGIC = b"scg kernel 1\n"
_WRITING = ".writing-"
_ENTRY = re.compile("[0-9a-f]{64}")  # nothing else in the directory is ours

_unswept: int | None = None  # bytes that this process wrote since it last looked at all entries


def directory() -> Path | None:
    """Directory of the cache, created if missing, or None where there can be none.

    ``SCG_CACHE_DIR`` names it; an empty value disables the cache. A directory of another user, or
    one that others may write to, is not used.
    """
    given = os.environ.get("SCG_CACHE_DIR")
    if given == "":
        return None
    base = os.environ.get("XDG_CACHE_HOME", "")
    path = Path(given or Path(base if Path(base).is_absolute() else "~/.cache", "scg"))
    try:
        path = path.expanduser()
        if not path.is_dir():
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = path.lstat()
    except (OSError, RuntimeError):  # the latter if there is no home directory
        return None
    if not stat.S_ISDIR(status.st_mode):
        return None
    private = not status.st_mode & 0o022
    return path if private and _is_mine(status) else None


def limit() -> float:
    """Bytes that all entries may have; CallError if ``SCG_CACHE_SIZE`` is not a number."""
    given = os.environ.get(SIZE) or MEGABYTES
    try:
        megabytes = float(given)
    except ValueError:
        megabytes = -1.0
    if not megabytes >= 0.0:
        raise CallError(f"environment variable {SIZE} must be a number of megabytes, got {given!r}")
    return 1e6 * megabytes


def read(key: str) -> bytes | None:
    """Payload of an entry, or None where it is absent, damaged or foreign."""
    folder = directory()
    if folder is None:
        return None
    flags = (getattr(os, name, 0) for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_BINARY"))
    try:
        descriptor = os.open(folder / key, os.O_RDONLY | sum(flags))
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(file.fileno())
            if not (stat.S_ISREG(status.st_mode) and _is_mine(status)):
                return None
            if status.st_size > limit():
                return None
            content = file.read()
    except OSError:
        return None
    start = len(_MAGIC) + 32
    head, payload = content[:start], content[start:]
    if head != _MAGIC + _digest(key, payload):
        return None
    with contextlib.suppress(OSError):
        os.utime(folder / key)  # used just now
    return payload


def write(key: str, payload: bytes) -> None:
    """Store an entry; if that fails, the kernel is compiled again next time."""
    global _unswept
    folder, most = directory(), limit()
    content = _MAGIC + _digest(key, payload) + payload
    if folder is None or len(content) > most:
        return
    temporary = None
    try:
        descriptor, temporary = tempfile.mkstemp(dir=folder, prefix=_WRITING)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        Path(temporary).replace(folder / key)
    except OSError:
        if temporary is not None:
            with contextlib.suppress(OSError):
                Path(temporary).unlink()
        return
    if _unswept is None or _unswept + len(content) > most / 16:
        evict(most)
        _unswept = 0
    _unswept += len(content)


def entries() -> Iterator[tuple[Path, os.stat_result]]:
    """Yield all entries, and the temporary files of their writers."""
    folder = directory()
    with contextlib.suppress(OSError):
        for found in os.scandir(folder) if folder is not None else ():
            if _ENTRY.fullmatch(found.name) or found.name.startswith(_WRITING):
                with contextlib.suppress(OSError):
                    yield Path(found.path), found.stat(follow_symlinks=False)


def evict(most: float) -> tuple[int, int]:
    """Remove the least recently used entries until the others have at most `most` bytes.

    Returns how many files and bytes were removed.
    """
    kept, removed, freed = 0, 0, 0
    for path, status in sorted(entries(), key=lambda entry: -entry[1].st_mtime_ns):
        if path.name.startswith(_WRITING):
            goes = most == 0 or time.time() - status.st_mtime > STALE
        else:
            kept += status.st_size
            goes = kept > most
        if goes:
            with contextlib.suppress(OSError):
                path.unlink()
                removed, freed = removed + 1, freed + status.st_size
    return removed, freed


def _is_mine(status: os.stat_result) -> bool:
    return not hasattr(os, "getuid") or status.st_uid == os.getuid()


def _digest(key: str, payload: bytes) -> bytes:
    """Hash of a payload and its key, so that a renamed entry counts as damaged."""
    return hashlib.sha256(key.encode() + b"\0" + payload).digest()
