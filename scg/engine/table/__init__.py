"""The table of work of a program, for given sizes of the plates."""
