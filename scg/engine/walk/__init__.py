"""Run a table: threads, matrix products, runs in blocks."""
