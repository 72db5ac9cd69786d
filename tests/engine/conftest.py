"""What tests of the engine share."""

import pytest

from scg.engine.walk import blas


@pytest.fixture
def own_threads():
    """Let a test set the number of threads."""
    before = blas.threads()
    yield
    blas.set_threads(before)
