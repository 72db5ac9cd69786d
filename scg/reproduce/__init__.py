"""Published experiments, repeated: protocols, results beside the published ones, pages."""

from __future__ import annotations

from scg.reproduce.anbn import ANBN
from scg.reproduce.arms import ARMS
from scg.reproduce.artbp import ARTBP
from scg.reproduce.autoencoders import (
    ARMS_OMNIGLOT,
    ARMS_TRAINING,
    CARMS_FASHION,
    CARMS_OMNIGLOT,
    CARMS_TRAINING,
)
from scg.reproduce.boltzmann import BOLTZMANN
from scg.reproduce.boltzmann_deep import BOLTZMANN_DEEP
from scg.reproduce.brackets import BRACKETS
from scg.reproduce.carms import CARMS
from scg.reproduce.chorales import CHORALES
from scg.reproduce.concrete import RELAXED
from scg.reproduce.densities import DENSITIES, DENSITIES_LETTERS
from scg.reproduce.exponential_family import EXPONENTIAL_FAMILY
from scg.reproduce.gated import GATED
from scg.reproduce.graves import GRAVES
from scg.reproduce.index import index
from scg.reproduce.jang import JANG
from scg.reproduce.muprop import TABLE2, TABLE3
from scg.reproduce.nvil import FAILURE
from scg.reproduce.nvil_classes import CLASSES
from scg.reproduce.page import write
from scg.reproduce.paper import Conditions, Paper, compute
from scg.reproduce.rsvi import RSVI
from scg.reproduce.tokui import TOKUI, TOKUI_LETTERS
from scg.reproduce.tokui_training import TOKUI_LETTERS_TRAINING, TOKUI_TRAINING
from scg.reproduce.unbiased import UNBIASED

_ALL = (
    TABLE2, FAILURE, TABLE3, CLASSES, ARMS, ARMS_TRAINING, ARMS_OMNIGLOT, CARMS, CARMS_TRAINING,
    CARMS_FASHION, CARMS_OMNIGLOT, JANG, RELAXED, DENSITIES, DENSITIES_LETTERS, TOKUI,
    TOKUI_TRAINING, TOKUI_LETTERS, TOKUI_LETTERS_TRAINING, GATED, UNBIASED, ARTBP, ANBN, CHORALES,
    BRACKETS, RSVI, EXPONENTIAL_FAMILY, GRAVES, BOLTZMANN, BOLTZMANN_DEEP,
)  # fmt: skip
#: The experiments by name.
PAPERS: dict[str, Paper] = {paper.name: paper for paper in _ALL}

__all__ = ["PAPERS", "Conditions", "Paper", "compute", "index", "write"]
