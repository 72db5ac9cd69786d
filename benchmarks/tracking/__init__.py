"""Benchmarks that asv tracks: ``asv run --config benchmarks/asv.conf.json``."""
