"""Generate the source of kernels, and compile it."""
