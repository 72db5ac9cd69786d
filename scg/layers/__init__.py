"""Build models: layers, stochastic units, multi-sample bounds."""
