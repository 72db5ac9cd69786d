"""Checks for what users write themselves: the derivatives of a function, the laws of an estimator.

Both raise an AssertionError that says what is wrong and where to look, so that they can stand in
a test as they are.
"""

from scg.testing.estimator import check_estimator
from scg.testing.gradient import check_gradient

__all__ = ["check_estimator", "check_gradient"]
