"""Errors of scg, one for each stage of the pipeline under one root, and warnings."""

from __future__ import annotations

from collections.abc import Iterable


class ScgError(Exception):
    """Root of all errors that scg raises on purpose."""


class DeclarationError(ScgError, ValueError):
    """A declaration of a graph is wrong: names, shapes, plates or costs."""


class EstimatorError(ScgError, ValueError):
    """An estimator does not fit the node, or the paths from the node to its costs."""


class CallError(ScgError, ValueError):
    """Arguments of a call do not fit, such as parameters, data, noise or state."""


class UnsupportedError(ScgError, NotImplementedError):
    """A distribution or an op does not support an operation."""


class EnumerationError(ScgError, ValueError):
    """An exact computation has too many outcomes, or infinitely many."""


class DataError(ScgError, ValueError):
    """A data file is missing, damaged, or of another kind than requested."""


class CheckpointError(ScgError, ValueError):
    """A checkpoint is missing, damaged, or belongs to another model or run."""


class WorkerError(ScgError, RuntimeError):
    """Workers are lost and cannot be replaced, or a chunk of their work failed."""


class CompilerError(ScgError, AssertionError):
    """An invariant between two passes is broken: a bug in scg or in a user's own estimator."""


class BiasWarning(UserWarning):
    """A biased estimator was chosen without ``allow_biased=True``."""


class PathsWarning(UserWarning):
    """Costs are evaluated on many paths: of nested samples, or of replays at each of many steps."""


class StopWarning(UserWarning):
    """A node reaches one cost both through ``stop_gradient`` and without it."""


class DivergenceWarning(UserWarning):
    """The cost of a training run grew to a hundred times its first value."""


def did_you_mean(name: object, known: Iterable[str]) -> str:
    """Text "; did you mean ...?" if a known name is close to `name`, else "".

    Examples
    --------
    >>> "unknown data 'imges'" + did_you_mean("imges", ["images", "labels"])
    "unknown data 'imges'; did you mean 'images'?"
    """
    import difflib  # importing scg is to stay fast

    names = {key.casefold(): key for key in known}
    close = difflib.get_close_matches(str(name)[:100].casefold(), names, n=1)
    return f"; did you mean {names[close[0]]!r}?" if close else ""
