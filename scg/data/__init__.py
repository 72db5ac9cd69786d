"""Data sets: bundled digits, loaders of IDX and npz files, binarization."""

from scg.data.address import Splits, load
from scg.data.binarize import Binarize, binarize
from scg.data.digits import Digits, load_digits
from scg.data.readers import read_idx, read_npz

__all__ = [
    "Binarize",
    "Digits",
    "Splits",
    "binarize",
    "load",
    "load_digits",
    "read_idx",
    "read_npz",
]
