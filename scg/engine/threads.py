"""The number of threads that a step uses."""

from __future__ import annotations

from scg.errors import CallError


def set_threads(count: int) -> None:
    """Set the number of threads of matrix products and of large loops, for the whole process.

    Loops below some 10⁵ elements run in the calling thread, and so do products that are too small
    to gain. Without a call the environment decides, as for NumPy: ``OPENBLAS_NUM_THREADS`` or all
    cores. Results do not depend on it beyond the rounding of matrix products: loops are cut by
    their size, not by the number of threads.

    Parameters
    ----------
    count : int
        At least 1.

    Raises
    ------
    CallError
        If `count` is not a positive integer.

    Examples
    --------
    >>> import scg
    >>> scg.set_threads(1)
    """
    from scg.engine.walk.blas import set_threads as set_blas_threads

    if not isinstance(count, int) or isinstance(count, bool) or count < 1:
        raise CallError(f"set_threads: expected a positive integer, got {count!r}")
    set_blas_threads(count)
