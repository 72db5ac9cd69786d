"""All named small graphs of the laws, as one table by name."""

from .graphs_compositions import COMPOSITIONS
from .graphs_mixing import MIXING
from .graphs_plates import PLATES as SEPARATE
from .graphs_special import MIXED, PATHWISE, STOP_BOTH_PATHS, STOPS, THREE_LAYERS

PLATES = [*SEPARATE, *MIXING]
EVERY = [*COMPOSITIONS, *PLATES, THREE_LAYERS, *MIXED, PATHWISE, *STOPS, STOP_BOTH_PATHS]
ROWS = {row.name: row for row in EVERY}
assert len(ROWS) == len(EVERY), "two rows of one name"

__all__ = [
    "COMPOSITIONS",
    "MIXED",
    "MIXING",
    "PATHWISE",
    "PLATES",
    "ROWS",
    "STOPS",
    "STOP_BOTH_PATHS",
    "THREE_LAYERS",
]
