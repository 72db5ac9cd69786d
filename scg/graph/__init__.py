"""Declare a model: nodes, parameters, costs, and declarations as JSON."""
