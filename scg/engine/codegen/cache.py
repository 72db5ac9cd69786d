"""The disk cache of compiled kernels: content-addressed, private, never trusted.

An entry is a file named by the hash of what it was made from: a magic line, the hash of the
payload, the payload. A damaged or truncated entry does not match its hash and counts as absent;
entries appear by renaming a finished file, so that processes may write at once or be killed.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import tempfile
from pathlib import Path

_MAGIC = b"scg kernel 1\n"


def directory() -> Path | None:
    """Return the cache's directory, made where it is missing, or None where there can be none.

    ``SCG_CACHE_DIR`` names it; an empty value switches the cache off. A directory that belongs to
    somebody else, or that others may write to, is not used.
    """
    given = os.environ.get("SCG_CACHE_DIR")
    if given == "":
        return None
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    path = Path(given) if given else Path(base) / "scg"
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = path.lstat()
    except OSError:
        return None
    if not stat.S_ISDIR(status.st_mode):
        return None
    private = not status.st_mode & 0o022
    mine = not hasattr(os, "getuid") or status.st_uid == os.getuid()
    return path if private and mine else None


def read(key: str) -> bytes | None:
    """Return the payload of an entry, or None where it is absent, damaged or foreign."""
    folder = directory()
    if folder is None:
        return None
    try:
        descriptor = os.open(folder / key, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
        with os.fdopen(descriptor, "rb") as file:
            if hasattr(os, "getuid") and os.fstat(file.fileno()).st_uid != os.getuid():
                return None
            content = file.read()
    except OSError:
        return None
    start = len(_MAGIC) + 32
    head, payload = content[:start], content[start:]
    intact = head == _MAGIC + _digest(key, payload)
    return payload if intact else None


def write(key: str, payload: bytes) -> None:
    """Store an entry; where that fails the kernel is compiled again next time."""
    folder = directory()
    if folder is None:
        return
    temporary = None
    try:
        descriptor, temporary = tempfile.mkstemp(dir=folder, prefix=".writing-")
        with os.fdopen(descriptor, "wb") as file:
            file.write(_MAGIC + _digest(key, payload) + payload)
        Path(temporary).replace(folder / key)
    except OSError:
        if temporary is not None:
            with contextlib.suppress(OSError):
                Path(temporary).unlink()


def _digest(key: str, payload: bytes) -> bytes:
    """Hash a payload together with its key: an entry renamed to another key is damaged, too."""
    return hashlib.sha256(key.encode() + b"\0" + payload).digest()
