"""Generating the source of kernels, and compiling it."""
