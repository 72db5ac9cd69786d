"""Checkpoints: one safetensors file, with a JSON description in its header.

One file is replaced by one rename, so that at every moment a whole checkpoint lies at its path:
the old one or the new one. Arrays keep every bit; the description holds what is not an array, and
the digest of all arrays.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from scg.errors import CheckpointError

FORMAT = 1
_SEPARATOR = "\x1f"  # joins the path to an array; no declared name can hold it


def save(path: str | Path, arrays: Mapping[str, Any], about: Mapping[str, Any]) -> None:
    """Write a checkpoint atomically.

    Parameters
    ----------
    path : str or Path
        The file; what lies there is replaced when the new file is complete on disk.
    arrays : mapping
        Arrays, nested in mappings.
    about : mapping
        Everything else, as JSON allows it.

    Raises
    ------
    CheckpointError
        If the file cannot be written; what lay there is untouched.
    """
    from safetensors.numpy import save as encode

    flat = _flatten(arrays)
    described = {"format": FORMAT, "digest": _digest(flat), "about": dict(about)}
    content = encode(flat, metadata={"scg": json.dumps(described)})
    write_atomically(Path(path), content)


def load(path: str | Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Read a checkpoint: its nested arrays and its description.

    Raises
    ------
    CheckpointError
        If there is none, or it is damaged or not a checkpoint of scg.
    """
    from safetensors import SafetensorError, safe_open

    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"{path}: there is no checkpoint")
    try:
        with safe_open(path, framework="numpy") as file:
            header = (file.metadata() or {}).get("scg")
            flat = {name: file.get_tensor(name) for name in file.keys()}
    except (SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(f"{path}: damaged or not a safetensors file ({error})") from error
    if header is None:
        raise CheckpointError(f"{path}: a safetensors file, but not a checkpoint of scg")
    described = json.loads(header)
    if described["format"] != FORMAT:
        raise CheckpointError(
            f"{path}: written in format {described['format']}, this version reads {FORMAT}"
        )
    if described["digest"] != _digest(flat):
        raise CheckpointError(f"{path}: damaged: its arrays do not match their digest")
    return _nested(flat), described["about"]


def write_atomically(path: Path, content: bytes) -> None:
    """Replace a file by new content; at every moment one of the two lies there, whole."""
    scratch = path.with_name(f".{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with scratch.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(path)
        _sync_directory(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            scratch.unlink()
        reason = error.strerror or str(error)
        raise CheckpointError(f"{path}: cannot write: {reason}") from error


def digest(arrays: Mapping[str, Any]) -> str:
    """SHA-256 of nested arrays: their names, types, shapes and bytes."""
    return _digest(_flatten(arrays))


def _sync_directory(path: Path) -> None:
    """Make the rename itself durable, where directories can be synchronised."""
    if os.name == "posix":
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _flatten(arrays: Mapping[str, Any], prefix: tuple[str, ...] = ()) -> dict[str, np.ndarray]:
    flat: dict[str, np.ndarray] = {}
    for name, value in arrays.items():
        if isinstance(value, Mapping):
            flat |= _flatten(value, (*prefix, name))
        else:
            flat[_SEPARATOR.join((*prefix, name))] = np.array(value, order="C", copy=True)
    return flat


def _nested(flat: Mapping[str, np.ndarray]) -> dict[str, Any]:
    nested: dict[str, Any] = {}
    for path, array in flat.items():
        *folders, name = path.split(_SEPARATOR)
        place = nested
        for folder in folders:
            place = place.setdefault(folder, {})
        place[name] = array
    return nested


def _digest(flat: Mapping[str, np.ndarray]) -> str:
    total = hashlib.sha256()
    for name in sorted(flat):
        array = flat[name]
        total.update(f"{name}\n{array.dtype.str}{array.shape}\n".encode())
        total.update(array.tobytes())
    return total.hexdigest()
