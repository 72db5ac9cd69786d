"""Data sets that travel with the package."""

from scg.data.digits import Digits, load_digits

__all__ = ["Digits", "load_digits"]
