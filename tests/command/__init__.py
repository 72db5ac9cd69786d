"""Tests of what the command line is made of."""
