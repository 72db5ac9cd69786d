"""All named small graphs of the laws, as one table by name."""

from .graphs_compositions import COMPOSITIONS
from .graphs_families import FAMILIES
from .graphs_mixing import MIXING
from .graphs_plates import PLATES
from .graphs_pooled import POOLED
from .graphs_special import MIXED, PATHWISE, STOP_BOTH, STOPS, THREE_LAYERS

EVERY = [
    *COMPOSITIONS,
    *PLATES,
    *MIXING,
    *POOLED,
    THREE_LAYERS,
    *MIXED,
    PATHWISE,
    *STOPS,
    *STOP_BOTH,
    *FAMILIES,
]
ROWS = {row.name: row for row in EVERY}
assert len(ROWS) == len(EVERY), "two rows of one name"

__all__ = [
    "COMPOSITIONS",
    "FAMILIES",
    "MIXED",
    "MIXING",
    "PATHWISE",
    "PLATES",
    "POOLED",
    "ROWS",
    "STOPS",
    "STOP_BOTH",
    "THREE_LAYERS",
]
