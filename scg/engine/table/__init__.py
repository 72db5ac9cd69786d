"""The table of a program: its rows and its memory, for given plate sizes."""
