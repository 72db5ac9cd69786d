"""Functions that SciPy lacks, in NumPy."""
