"""Checks for functions and estimators of your own, to be called in tests.

`check_gradient` compares derivatives with finite differences, `check_estimator` means with exact
gradients. Both raise an AssertionError that says what is wrong and where to look.
"""

from scg.testing.estimator import check_estimator
from scg.testing.gradient import check_gradient

__all__ = ["check_estimator", "check_gradient"]
