"""Binarization of grey images: once (static), or for each batch (dynamic)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scg.common.arguments import numbers_of
from scg.errors import DataError
from scg.seeds.noise import generator


def binarize(images: np.ndarray, seed: int | tuple[int, ...]) -> np.ndarray:
    """Binary image whose pixels are samples of Bernoulli(value).

    Use it once for static binarization (Salakhutdinov and Murray 2008), and :class:`Binarize` to
    sample the pixels of each batch. ``load_digits(binary=True)`` thresholds without noise.

    Parameters
    ----------
    images : ndarray
        Grey values in [0, 1], of any shape.
    seed : int or tuple of int
        The same seed gives the same pixels; there is no default.

    Returns
    -------
    ndarray of uint8

    Raises
    ------
    DataError
        If a value is no number or lies outside [0, 1].

    Examples
    --------
    >>> binarize(np.array([0.0, 1.0, 0.0]), seed=0)
    array([0, 1, 0], dtype=uint8)
    """
    images = numbers_of("binarize: images", images, DataError)
    if not np.all((images >= 0) & (images <= 1)):
        raise DataError("binarize: expected grey values in [0, 1]; divide by the largest value")
    rng = generator(seed, "binarize")
    return (rng.random(np.shape(images), dtype=np.float32) < images).astype(np.uint8)


@dataclass(frozen=True)
class Binarize:
    """Dynamic binarization, a transform for ``scg.fit(..., transform=Binarize())``.

    Parameters
    ----------
    names : tuple of str
        Names of the data to binarize in each batch.
    """

    names: tuple[str, ...] = ("x",)

    def __call__(
        self, batch: dict[str, np.ndarray], seed: tuple[int, ...]
    ) -> dict[str, np.ndarray]:
        """Batch with these data binarized."""
        for name in self.names:
            if name not in batch:
                known = ", ".join(map(repr, batch))
                raise DataError(f"{self!r}: the batch has no data {name!r}; it has {known}")
        drawn = {
            name: binarize(batch[name], (*seed, position))
            for position, name in enumerate(self.names)
        }
        return {**batch, **drawn}
