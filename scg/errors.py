"""The errors and warnings of scg: one root, one leaf for each stage of the pipeline."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class ScgError(Exception):
    """Root of all errors that scg raises on purpose."""


class DeclarationError(ScgError, ValueError):
    """A graph was declared wrongly: names, shapes, plates, costs."""


class EstimatorError(ScgError, ValueError):
    """An estimator does not fit the node, or the paths from the node to its costs."""


class CallError(ScgError, ValueError):
    """A call got arguments that do not fit, such as parameters, data, noise or state."""


class UnsupportedError(ScgError, NotImplementedError):
    """A distribution or an op lacks what was asked of it."""


class EnumerationError(ScgError, ValueError):
    """An exact computation would need too many outcomes, or has no finite outcomes."""


class DataError(ScgError, ValueError):
    """A data file is missing, damaged, or not what was asked for."""


class CheckpointError(ScgError, ValueError):
    """A checkpoint is missing, damaged, or belongs to another model or run."""


class CompilerError(ScgError, AssertionError):
    """An invariant between two passes is broken: a bug in scg or in a user's own estimator."""


class BiasWarning(UserWarning):
    """A biased estimator was chosen without ``allow_biased=True``."""


class PathsWarning(UserWarning):
    """The draws of nested nodes multiply to many paths, each with an evaluation of the costs."""


class StopWarning(UserWarning):
    """A node reaches one cost both through ``stop_gradient`` and without it."""


class DivergenceWarning(UserWarning):
    """The cost of a training run became a hundred times as large as it was at first."""


def did_you_mean(name: object, known: Iterable[str]) -> str:
    """Return "; did you mean ...?" if a known name is close to `name`, else no text.

    Examples
    --------
    >>> "unknown data 'imges'" + did_you_mean("imges", ["images", "labels"])
    "unknown data 'imges'; did you mean 'images'?"
    """
    import difflib  # importing scg is to stay fast

    names = {key.casefold(): key for key in known}
    close = difflib.get_close_matches(str(name)[:100].casefold(), names, n=1)
    return f"; did you mean {names[close[0]]!r}?" if close else ""
