"""Explain: the estimator and the term of each stochastic node, and the reasons, in words."""
