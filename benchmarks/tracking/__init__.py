"""What asv tracks from commit to commit: ``asv run --config benchmarks/asv.conf.json``."""
