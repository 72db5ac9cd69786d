"""Addresses of data sets: ``digits``, ``mnist:DIR``, ``npz:FILE``, ``bits:FILE``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from scg.common.arguments import checked
from scg.data.digits import load_digits
from scg.data.readers import LIMIT, check_size, read_idx, read_npz
from scg.errors import DataError

MNIST_TRAIN = 50_000  # of the 60,000 training images; the others are for validation


class Splits(NamedTuple):
    """Images for training, validation and test; each row is one flattened image.

    Attributes
    ----------
    train, test : ndarray, shape (examples, pixels)
        Grey values in [0, 1] (float32), or binary pixels (uint8).
    valid : ndarray or None
        The same for validation, or None if the data set has no such part.
    labels : dict
        Integer labels by the name of the part; empty if the data set has none.
    """

    train: np.ndarray
    valid: np.ndarray | None
    test: np.ndarray
    labels: dict[str, np.ndarray] = {}  # noqa: RUF012 - never mutated


@checked('scg.data.load("digits")', DataError)
def load(address: str, *, limit: int = LIMIT) -> Splits:
    """Splits of the data set at an address.

    Parameters
    ----------
    address : str
        ``digits``: the bundled 8×8 digits, binary (see :func:`load_digits`).
        ``mnist:DIR``: the four IDX files of MNIST or Fashion-MNIST, gzipped or not. The first
        50,000 images are for training, the last 10,000 of the training file for validation.
        ``npz:FILE``: arrays ``x_train``, ``x_test`` and optionally ``x_valid``, of bytes from 0 to
        255 (or only 0 and 1, for binary pixels), or of floats in [0, 1].
        ``bits:FILE``: the same arrays, whose rows are packed by ``numpy.packbits``.
    limit : int
        Largest number of bytes of values of each file, packed or unpacked.

    Raises
    ------
    DataError
        If the address is unknown, or a file is missing, damaged, too large or of another form.

    Examples
    --------
    >>> splits = load("digits")
    >>> splits.train.shape, splits.valid, splits.test.shape, splits.labels["test"].shape
    ((1500, 64), None, (297, 64), (297,))
    """
    scheme, _, place = address.partition(":")
    if scheme not in SCHEMES:
        raise DataError(f"data {address!r}: unknown; write one of {', '.join(FORMS)}")
    if bool(place) != (scheme != "digits"):
        raise DataError(f"data {address!r}: write {FORMS[list(SCHEMES).index(scheme)]}")
    return SCHEMES[scheme](place, limit)


def _digits(_: str, limit: int) -> Splits:
    digits = load_digits(binary=True)
    labels = {"train": digits.train_labels, "test": digits.test_labels}
    return Splits(digits.train.astype(np.uint8), None, digits.test.astype(np.uint8), labels)


def _mnist(folder: str, limit: int) -> Splits:
    train = _images(folder, "train-images-idx3-ubyte", limit)
    test = _images(folder, "t10k-images-idx3-ubyte", limit)
    if len(train) <= MNIST_TRAIN:
        raise DataError(f"{folder}: {len(train)} training images, expected 60000 as in MNIST")
    labels = {}
    if _find(folder, "train-labels-idx1-ubyte") and _find(folder, "t10k-labels-idx1-ubyte"):
        every = _labels(folder, "train-labels-idx1-ubyte", len(train))
        labels = {"train": every[:MNIST_TRAIN], "valid": every[MNIST_TRAIN:]}
        labels["test"] = _labels(folder, "t10k-labels-idx1-ubyte", len(test))
    return Splits(train[:MNIST_TRAIN], train[MNIST_TRAIN:], test, labels)


def _find(folder: str, name: str) -> Path | None:
    paths = [Path(folder) / f"{name}{ending}" for ending in (".gz", "")]
    return next((path for path in paths if path.is_file()), None)


def _labels(folder: str, name: str, examples: int) -> np.ndarray:
    labels = read_idx(_find(folder, name) or name)
    if labels.shape != (examples,):
        raise DataError(f"{folder}: {name} has shape {labels.shape}, expected ({examples},)")
    return labels


def _images(folder: str, name: str, limit: int) -> np.ndarray:
    found = _find(folder, name)
    if found is None:
        raise DataError(f"{Path(folder) / name}.gz: there is no such file, nor {name}")
    images = read_idx(found, limit=limit)
    if images.ndim != 3:
        raise DataError(f"{found}: expected images (three axes), got shape {images.shape}")
    return _grey(str(found), images, limit)


def _npz(path: str, limit: int) -> Splits:
    return _parts(path, _grey, limit)


def _bits(path: str, limit: int) -> Splits:
    return _parts(path, _unpacked, limit)


def _parts(path: str, pixels: Callable[[str, np.ndarray, int], np.ndarray], limit: int) -> Splits:
    arrays = read_npz(path, limit=limit)
    for name in ("x_train", "x_test"):
        if name not in arrays:
            raise DataError(f"{path}: lacks {name!r}; it holds {', '.join(arrays) or 'nothing'}")
    made = {
        name: pixels(f"{path}: {name}", arrays[name], limit)
        for name in ("x_train", "x_valid", "x_test")
        if name in arrays
    }
    widths = {name: array.shape[1] for name, array in made.items()}
    if len(set(widths.values())) > 1:
        raise DataError(f"{path}: the parts differ in their number of pixels: {widths}")
    return Splits(made["x_train"], made.get("x_valid"), made["x_test"])


def _grey(what: str, array: np.ndarray, limit: int) -> np.ndarray:
    _check_rows(what, array)
    check_size(what, 4 * array.size, limit)
    rows = array.reshape(len(array), -1)
    if array.dtype == np.uint8:
        return rows if rows.max() <= 1 else rows.astype(np.float32) / np.float32(255)
    if array.dtype.kind != "f":
        raise DataError(f"{what}: expected bytes or floats, got {array.dtype}")
    if not np.all((rows >= 0) & (rows <= 1)):
        raise DataError(f"{what}: grey values must lie in [0, 1] and be finite")
    return rows.astype(np.float32)


def _unpacked(what: str, array: np.ndarray, limit: int) -> np.ndarray:
    _check_rows(what, array)
    check_size(what, 8 * array.size, limit)
    if array.dtype != np.uint8 or array.ndim != 2:
        raise DataError(f"{what}: expected rows of packed bits (bytes), got {array.dtype}")
    return np.unpackbits(array, axis=1)


def _check_rows(what: str, array: np.ndarray) -> None:
    if array.ndim < 2 or array.size == 0:
        raise DataError(f"{what}: expected examples of pixels, got shape {array.shape}")


SCHEMES: dict[str, Callable[[str, int], Splits]] = {
    "digits": _digits,
    "mnist": _mnist,
    "npz": _npz,
    "bits": _bits,
}
FORMS = ("digits", "mnist:DIR", "npz:FILE", "bits:FILE")
