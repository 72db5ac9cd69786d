"""Compiled steps inside other frameworks: PyTorch and JAX, each an extra."""
