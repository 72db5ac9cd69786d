"""The one representation that every pass reads and writes: expressions, plates, ops."""
