"""The engines that run programs: the NumPy interpreter, and compiled kernels."""
