"""Noise of a part of a distribution, apart from that of its other parts."""

from __future__ import annotations

from typing import Any

from scg.distributions.protocols import Noise


class Tagged:
    """The noise of one part of a distribution: its tags get a prefix."""

    def __init__(self, noise: Noise, prefix: str):
        self.noise, self.prefix = noise, prefix

    def uniform(self, shape: tuple[int, ...], tag: str = "u") -> Any:
        """Uniforms under a tag with the prefix."""
        return self.noise.uniform(shape, f"{self.prefix}{tag}")

    def normal(self, shape: tuple[int, ...], tag: str = "n") -> Any:
        """Standard normals under a tag with the prefix."""
        return self.noise.normal(shape, f"{self.prefix}{tag}")
