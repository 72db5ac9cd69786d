"""Run: steps and simulations, from checked arguments to results."""
