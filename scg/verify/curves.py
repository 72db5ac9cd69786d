"""Curves: what a sweep measures of each estimator, as rows, data frame and plot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np

from scg.common.arguments import checked
from scg.common.frame import frame
from scg.errors import CallError, did_you_mean
from scg.ir.tables import aligned, grid
from scg.verify.plot import canvas, panel, saved
from scg.verify.text import short

if TYPE_CHECKING:
    from matplotlib.figure import Figure

QUANTITIES = {
    "mean": "mean gradient",
    "variance": "variance of one run",
    "bias2": "bias²",
    "mse": "mean squared error, evaluations: {:g}",
}


@dataclass(frozen=True)
class Curve:
    """One estimator along a sweep; arrays have one entry for each point.

    Attributes
    ----------
    unbiased : bool
        What the estimator claims.
    evaluations : array
        Evaluations of the costs in one run.
    mean : dict
        Mean gradient, by parameter.
    variance, bias2 : array
        Variance of one run and squared bias, both summed over the components of the gradient.
    variance_stderr : array
        Standard error of the variance; 0 where it was computed.
    """

    unbiased: bool
    evaluations: np.ndarray
    mean: dict[str, np.ndarray]
    variance: np.ndarray
    bias2: np.ndarray
    variance_stderr: np.ndarray

    def mse(self, evaluations: float = 1.0) -> np.ndarray:
        """Mean squared error of the mean of as many runs as `evaluations` of the costs allow.

        It is bias² + variance · e / `evaluations`, where e are the evaluations in one run. A
        fraction of a run counts as such, so that estimators with different e compare fairly.
        """
        return self.bias2 + self.variance * self.evaluations / evaluations


@dataclass(frozen=True)
class Sweep(Mapping[str, Curve]):
    """Curves of gradient estimators by name: ``sweep["score"].variance``; ``print`` it.

    Attributes
    ----------
    curves : dict
        A curve by the name given to the estimator.
    over : dict
        The swept values by name.
    truth : dict
        The true gradient by parameter, one entry for each point.
    exact : bool
        Whether means and variances were computed, and not sampled.
    """

    curves: dict[str, Curve]
    over: dict[str, np.ndarray]
    truth: dict[str, np.ndarray]
    exact: bool

    def __getitem__(self, name: str) -> Curve:
        if name not in self.curves:
            near = did_you_mean(name, self.curves)
            raise KeyError(f"no estimator {name!r}{near}; there are {', '.join(self.curves)}")
        return self.curves[name]

    def __iter__(self) -> Any:
        return iter(self.curves)

    def __len__(self) -> int:
        return len(self.curves)

    def rows(self, evaluations: float = 1.0) -> list[dict[str, Any]]:
        """A row for each estimator and point, fit for a data frame.

        Parameters
        ----------
        evaluations : float
            Evaluations of the costs at which mean squared errors are taken.
        """
        rows = []
        for name, curve in self.curves.items():
            mse = curve.mse(evaluations)
            for i, at in enumerate(self._points):
                means = {f"mean {k}": _plain(v[i]) for k, v in curve.mean.items()}
                rows.append(
                    {"estimator": name, **at, **means}
                    | {key: float(getattr(curve, key)[i]) for key in ("variance", "bias2")}
                    | {"mse": float(mse[i]), "evaluations": int(curve.evaluations[i])}
                )
        return rows

    def to_dict(self) -> dict[str, Any]:
        """All curves as plain values, fit for JSON."""
        return {
            "over": {name: values.tolist() for name, values in self.over.items()},
            "truth": {name: values.tolist() for name, values in self.truth.items()},
            "exact": self.exact,
            "curves": {
                name: {
                    "unbiased": curve.unbiased,
                    "mean": {k: v.tolist() for k, v in curve.mean.items()},
                    **{k: getattr(curve, k).tolist() for k in ("variance", "variance_stderr")},
                    **{k: getattr(curve, k).tolist() for k in ("bias2", "evaluations")},
                }
                for name, curve in self.curves.items()
            },
        }

    def to_frame(self, evaluations: float = 1.0) -> Any:
        """The rows as a pandas DataFrame."""
        return frame(self.rows(evaluations))

    @checked('sweep.plot("curves.svg")')
    def plot(
        self,
        path: str | PathLike[str] | None = None,
        *,
        of: str | Sequence[str] | None = None,
        evaluations: float = 1.0,
    ) -> Figure:
        """Draw a panel for each quantity, and a line in it for each estimator.

        Biased estimators are dashed; the true gradient is a black line behind the means. The norm
        takes the place of a gradient with more than one component.

        Parameters
        ----------
        path : path, optional
            Where to write the picture, too.
        of : str or sequence of str, optional
            The panels: "mean", "variance", "bias2", "mse"; by default all that differ.
        evaluations : float
            Evaluations of the costs at which mean squared errors are taken.

        Returns
        -------
        matplotlib.figure.Figure
            The picture, which notebooks show.

        Raises
        ------
        ScgError
            If matplotlib is not installed.
        """
        biased = any(not curve.unbiased for curve in self.curves.values())
        chosen = [of] if isinstance(of, str) else list(of or self._panels(biased))
        for name in chosen:
            if name not in QUANTITIES:
                known = ", ".join(map(repr, QUANTITIES))
                raise CallError(f"sweep.plot: of must be among {known}, got {name!r}")
        figure = canvas(4.2 * len(chosen) + 0.4, 3.4)
        label, x = self._axis
        parts = figure.subplots(1, len(chosen), squeeze=False)[0]
        for axes, name in zip(parts, chosen, strict=True):
            lines = {k: (self._line(c, name, evaluations), c.unbiased) for k, c in self.items()}
            panel(axes, x, lines, _size(self.truth) if name == "mean" else None)
            axes.set_title(QUANTITIES[name].format(evaluations))
            axes.set_xlabel(label)
        figure.legend(*parts[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
        return saved(figure, path)

    def __str__(self) -> str:
        return f"{aligned([self._head, *self._cells], left=1)}\n{self._note}"

    def _repr_html_(self) -> str:
        return grid(self._head, self._cells, caption=self._note)

    @property
    def _head(self) -> list[str]:
        return ["", *self.over, "|mean|", "variance", "bias²", "mse of 1 evaluation"]

    @property
    def _cells(self) -> list[list[str]]:
        rows = []
        for name, curve in self.items():
            numbers = (_size(curve.mean), curve.variance, curve.bias2, curve.mse())
            for i, at in enumerate(self._points):
                words = [f"{number[i]:.4g}" for number in numbers]
                mark = name if curve.unbiased else f"{name} (BIASED)"
                rows.append([mark, *map(short, at.values()), *words])
        return rows

    @property
    def _note(self) -> str:
        return "exact" if self.exact else "sampled"

    @property
    def _points(self) -> list[dict[str, Any]]:
        count = len(next(iter(self.over.values())))
        return [{k: _plain(v[i]) for k, v in self.over.items()} for i in range(count)]

    @property
    def _axis(self) -> tuple[str, np.ndarray]:
        """What the points are drawn over: the first swept values, or their numbers."""
        name, values = next(iter(self.over.items()))
        if values.ndim == 1 and values.dtype.kind in "fiu":
            return name, values
        return f"point of {name}", np.arange(len(values))

    def _panels(self, biased: bool) -> list[str]:
        even = {tuple(curve.evaluations) for curve in self.values()} == {(1,) * len(self._points)}
        return ["mean", "variance", *(["bias2"] if biased else []), *([] if even else ["mse"])]

    def _line(self, curve: Curve, name: str, evaluations: float) -> np.ndarray:
        if name == "mse":
            return curve.mse(evaluations)
        return _size(curve.mean) if name == "mean" else getattr(curve, name)


def _size(gradient: Mapping[str, np.ndarray]) -> np.ndarray:
    """The gradient of each point, or its norm if it has more than one component."""
    parts = [part.reshape(len(part), -1) for part in gradient.values()]
    flat = np.concatenate(parts, axis=1)
    return flat[:, 0] if flat.shape[1] == 1 else np.linalg.norm(flat, axis=1)


def _plain(value: np.ndarray) -> Any:
    return np.asarray(value).tolist()
