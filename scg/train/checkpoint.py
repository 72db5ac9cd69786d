"""Checkpoints: one safetensors file, with a JSON description in its header.

One file is replaced by one rename, so that at every moment a whole checkpoint lies at its path:
the old one or the new one. Arrays keep every bit; the description holds what is not an array. The
header also holds the digest of the description and of all arrays.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from scg.common.files import held, write_atomically
from scg.errors import CheckpointError

FORMAT = "2"
#: Arrays of a checkpoint at most, and bytes of its header: safetensors reads no longer one.
ARRAYS, HEADER = 1 << 17, 100_000_000
#: Types of arrays by safetensors' names.
_TYPES = {"BOOL", *(f"{kind}{bits}" for kind in "IU" for bits in (8, 16, 32, 64))}
_TYPES |= {"F16", "F32", "F64"}
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
        If the file cannot be written, or could not be read again; what lay there is untouched.
    """
    from safetensors.numpy import save as encode

    flat = _flatten(arrays)
    for name, array in flat.items():
        if array.dtype.kind not in "fiub" or array.dtype.itemsize > 8:
            where = " of ".join(name.split(_SEPARATOR)[::-1])
            raise CheckpointError(f"{path}: cannot hold {where}, an array of type {array.dtype}")
    text = json.dumps(dict(about))
    content = encode(flat, {"scg": FORMAT, "about": text, "digest": _digest(flat, text)})
    _check_limits(path, content)
    with writing(path):
        write_atomically(path, content)


def load(path: str | Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Read a checkpoint: its nested arrays and its description.

    Raises
    ------
    CheckpointError
        If there is none, or it is damaged, too large or not a checkpoint of scg.
    """
    from safetensors import SafetensorError, safe_open

    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"{path}: there is no checkpoint")
    try:
        with path.open("rb") as file:
            length = file.read(8)
            _check_limits(path, length + file.read(min(int.from_bytes(length, "little"), HEADER)))
        with safe_open(path, framework="numpy") as file:
            known = file.metadata() or {}
            _check_format(path, known)
            flat = {}
            for name in file.keys():
                if (code := file.get_slice(name).get_dtype()) not in _TYPES:
                    raise CheckpointError(f"{path}: damaged: it holds an array of type {code}")
                flat[name] = file.get_tensor(name)
    except (SafetensorError, OSError, ValueError) as error:
        if isinstance(error, CheckpointError):
            raise
        raise CheckpointError(f"{path}: damaged or not a safetensors file ({error})") from error
    if known["digest"] != _digest(flat, known["about"]):
        raise CheckpointError(f"{path}: damaged: what it holds does not match its digest")
    try:
        return _nested(flat), dict(json.loads(known["about"]))
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise CheckpointError(f"{path}: damaged: its header cannot be read") from error


def digest(arrays: Mapping[str, Any]) -> str:
    """SHA-256 of nested arrays: their names, types, shapes and bytes."""
    return _digest(_flatten(arrays))


@contextlib.contextmanager
def writing(path: str | Path) -> Iterator[None]:
    """Raise a clear error when the system refuses to write a file."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise CheckpointError(f"{path}: cannot write: {reason}") from error


@contextlib.contextmanager
def alone(*paths: Path) -> Iterator[None]:
    """Be the only run, in this process and others, that writes these files; else an error."""
    with contextlib.ExitStack() as locks:
        for path in paths:
            try:
                with writing(path):
                    locks.enter_context(held(path))
            except CheckpointError as error:
                if not isinstance(error.__cause__, BlockingIOError):
                    raise
                raise CheckpointError(
                    f"{path}: another run writes there now; wait for its end, or choose another "
                    "place"
                ) from None
        yield


def _check_limits(path: str | Path, content: bytes) -> None:
    """Raise unless a file begins with a header that may be parsed."""
    length = int.from_bytes(content[:8], "little")
    if length > HEADER:
        raise CheckpointError(f"{path}: damaged: a header of {length} bytes, more than {HEADER}")
    arrays = content.count(b'"data_offsets"', 8, 8 + length)
    if arrays > ARRAYS:
        raise CheckpointError(f"{path}: a checkpoint of {arrays} arrays, more than {ARRAYS}")


def _check_format(path: Path, known: Mapping[str, str]) -> None:
    if "scg" not in known:
        raise CheckpointError(f"{path}: a safetensors file, but not a checkpoint of scg")
    if known["scg"].startswith("{"):
        raise CheckpointError(
            f"{path}: written by an earlier version of scg in another form, which this version "
            "cannot resume; its arrays are read by safetensors.numpy.load_file(...)"
        )
    if known["scg"] != FORMAT:
        raise CheckpointError(
            f"{path}: written in format {known['scg']:.20}, this version reads {FORMAT}"
        )
    if not {"about", "digest"} <= known.keys():
        raise CheckpointError(f"{path}: damaged: its header lacks the description or the digest")


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


def _digest(flat: Mapping[str, np.ndarray], text: str = "") -> str:
    total = hashlib.sha256(f"{len(text)}\n{text}\n".encode())
    for name in sorted(flat):
        array = flat[name]
        total.update(f"{name}\n{array.dtype.str}{array.shape}\n".encode())
        total.update(array.tobytes())
    return total.hexdigest()
