"""The compiler: one pass a file, in the order of the pipeline."""
