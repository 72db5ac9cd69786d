"""Running a table: threads, matrix products, blocks of runs."""
