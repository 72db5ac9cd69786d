"""Handwritten digits that are bundled with the package; ``DIGITS.md`` names their source."""

from __future__ import annotations

from importlib import resources
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

TRAIN_SIZE = 1500
FULL_INK = 16  # a pixel counts the inked cells of a 4×4 block


class Digits(NamedTuple):
    """Handwritten digits, split into a training and a test part.

    Attributes
    ----------
    train : ndarray of float64, shape (1500, 64)
        Training images in [0, 1], 8×8 pixels in row-major order; 1 is full ink.
    test : ndarray of float64, shape (297, 64)
        Held-out images.
    train_labels : ndarray of uint8, shape (1500,)
        The digit, 0 to 9, of each training image.
    test_labels : ndarray of uint8, shape (297,)
        The digit of each held-out image.
    """

    train: NDArray[np.float64]
    test: NDArray[np.float64]
    train_labels: NDArray[np.uint8]
    test_labels: NDArray[np.uint8]


def load_digits(binary: bool = False) -> Digits:
    """The 1797 bundled 8×8 images of handwritten digits, and their labels.

    The first 1500 images are the training part, the last 297 the test part; each digit makes up
    9 % to 12 % of either. Each call returns new arrays.

    Parameters
    ----------
    binary : bool, default False
        If True, a pixel is 1.0 where at least half of its 4×4 block is inked, otherwise 0.0. To
        sample pixels from Bernoulli(value) instead use :func:`binarize`.

    Returns
    -------
    Digits
        Images and labels of both parts.

    References
    ----------
    E. Alpaydin and C. Kaynak (1998), Optical Recognition of Handwritten Digits, UCI Machine
    Learning Repository, doi:10.24432/C50P49 (CC BY 4.0).

    Examples
    --------
    >>> from scg.data import load_digits
    >>> digits = load_digits()
    >>> digits.train.shape, digits.test.shape
    ((1500, 64), (297, 64))
    >>> digits.train_labels[:5]
    array([0, 1, 2, 3, 4], dtype=uint8)
    >>> for row in load_digits(binary=True).train[0].reshape(8, 8):
    ...     print("".join("█" if pixel else "·" for pixel in row))
    ···██···
    ··████··
    ··█··██·
    ··█··██·
    ··█··██·
    ··█··█··
    ··█·██··
    ···██···
    """
    with (resources.files("scg.data") / "digits.npz").open("rb") as file:
        with np.load(file, allow_pickle=False) as archive:
            images, labels = archive["images"], archive["labels"]
    values = images / FULL_INK
    if binary:
        values = (values >= 0.5).astype(np.float64)
    return Digits(
        values[:TRAIN_SIZE], values[TRAIN_SIZE:], labels[:TRAIN_SIZE], labels[TRAIN_SIZE:]
    )
