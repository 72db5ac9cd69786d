"""Cite the methods that a compiled step uses."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from scg.common.arguments import checked
from scg.errors import CallError
from scg.estimators.baselines.base import Baseline
from scg.estimators.protocol import Estimator
from scg.run.step import Step

_SURROGATE = ("schulman2015", "foerster2018")
_NOISE = ("salmon2011",)


@checked("scg.cite(step)")
def cite(step: Step) -> Bibliography:
    """BibTeX entries of the methods that a step uses: surrogate, estimators, baselines, noise.

    The entries are one string, which an interactive session shows line by line.

    Raises
    ------
    CallError
        If an estimator cites a key that the bibliography lacks.

    Examples
    --------
    >>> import scg
    >>> g = scg.Graph()
    >>> b = g.sample("b", scg.Bernoulli(logits=g.parameter("theta", 0.0)))
    >>> g.cost("loss", b)
    >>> for line in scg.cite(scg.compile(g, scg.MuProp())).splitlines():
    ...     if line.startswith("@"):
    ...         print(line)
    @inproceedings{schulman2015,
    @inproceedings{foerster2018,
    @inproceedings{gu2016,
    @inproceedings{salmon2011,
    """
    keys = [*_SURROGATE]
    for estimator in step.plan.estimators.values():
        keys += _cited(estimator)
    if step.plan.truncation is not None:
        keys += step.plan.truncation.cites
    for own in step.plan.given.nodes.values():
        keys += own.cites if own.ratios is not None else ()
    if step.program.noise:
        keys += _NOISE
    return Bibliography("\n\n".join(map(_entry, dict.fromkeys(keys))))


def _entry(key: str) -> str:
    """The entry of a key; an estimator of a user's own may cite whole entries."""
    found = key if key.lstrip().startswith("@") else bibliography().get(key)
    if found is None:
        raise CallError(
            f"the bibliography has no key {key!r}; let `cites` of an estimator of your own hold "
            "whole BibTeX entries, which begin with @"
        )
    return found


class Bibliography(str):
    """BibTeX entries, shown without quotes."""

    def __repr__(self) -> str:
        return str(self)


@cache
def bibliography() -> dict[str, str]:
    """All BibTeX entries of ``references.bib`` by their keys."""
    from importlib.resources import files  # importing scg is to stay fast

    text = files("scg").joinpath("references.bib").read_text(encoding="utf-8")
    return {found[1]: found[0] for found in re.finditer(r"^@\w+\{(\w+),.*?^\}", text, re.M | re.S)}


def _cited(part: Any) -> Iterator[str]:
    """Keys of an estimator or baseline, and of those that it was given."""
    if isinstance(part, (Estimator, Baseline)):
        yield from part.cites
        for option in vars(part).values():
            yield from _cited(option)
