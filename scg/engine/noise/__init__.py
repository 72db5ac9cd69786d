"""Noise in compiled kernels."""
