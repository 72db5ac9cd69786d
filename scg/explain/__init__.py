"""Explain: which term was attached to which stochastic node, and why, in words."""

from scg.explain.explanation import Explanation, explain
from scg.explain.node import Credit, NodeExplanation

__all__ = ["Credit", "Explanation", "NodeExplanation", "explain"]
