"""Rows: repetitions in time, which run from left to right."""

from __future__ import annotations

import re
from itertools import pairwise

from scg.draw.scene import Scene

_STEP = re.compile(r"\d+(?:\.\.\d+)?")


def rows(scene: Scene) -> list[list[str]]:
    """Chains of nodes that differ in one number and whose transitions share their parameters.

    Layers of a network, each with parameters of its own, are not a repetition in time.
    """
    families: dict[tuple[str, str, str, tuple], list[tuple[int, str]]] = {}
    for key, mark in scene.marks.items():
        if mark.kind in ("stochastic", "deterministic") and "\n" not in key:
            for found in _STEP.finditer(key):
                around = mark.kind, key[: found.start()], key[found.end() :], mark.groups
                turn = int(found[0].partition("..")[0])
                families.setdefault(around, []).append((turn, key))
    chains = [[key for _, key in sorted(family)] for family in families.values()]
    placed: set[str] = set()
    found = []
    for chain in sorted(chains, key=len, reverse=True):
        linked = all(pair in scene.links for pair in pairwise(chain))
        if len(chain) < 3 or not linked or placed & {*chain} or not _alike(scene, chain[1:]):
            continue
        if not _knotted(scene, chain):
            placed |= {*chain}
            found.append(chain)
    return found


def _knotted(scene: Scene, chain: list[str]) -> bool:
    """Whether nodes that differ in other numbers, too, lie between those of a chain."""
    own, like = {*chain}, _STEP.sub("*", chain[0])
    others = {key for key in scene.marks if key not in own and _STEP.sub("*", key) == like}
    below = {head for tail, head in scene.links if tail in own and head in others}
    return any(tail in below and head in own for tail, head in scene.links)


def _alike(scene: Scene, chain: list[str]) -> bool:
    """Whether the same parameters lead to all nodes of a chain."""
    above: dict[str, set[str]] = {key: set() for key in chain}
    for tail, head in scene.links:
        if head in above and scene.marks[tail].kind == "parameter":
            above[head].add(tail)
    first = above[chain[0]]
    return all(parents == first for parents in above.values())
