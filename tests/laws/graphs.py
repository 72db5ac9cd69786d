"""All named small graphs of the laws, as one table by name."""

from .graphs_compositions import COMPOSITIONS
from .graphs_plates import PLATES
from .graphs_special import MIXED, PATHWISE, STOP_BOTH_PATHS, STOPS, THREE_LAYERS

EVERY = [*COMPOSITIONS, *PLATES, THREE_LAYERS, *MIXED, PATHWISE, *STOPS, STOP_BOTH_PATHS]
ROWS = {row.name: row for row in EVERY}
assert len(ROWS) == len(EVERY), "two rows of one name"

__all__ = [
    "COMPOSITIONS",
    "MIXED",
    "PATHWISE",
    "PLATES",
    "ROWS",
    "STOPS",
    "STOP_BOTH_PATHS",
    "THREE_LAYERS",
]
