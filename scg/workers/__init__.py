"""Workers: one piece of work in many chunks, on any executor that has ``submit``."""

from scg.workers.crew import Crew
from scg.workers.tree import tree_sum
from scg.workers.work import Outcome, Work

__all__ = ["Crew", "Outcome", "Work", "tree_sum"]
