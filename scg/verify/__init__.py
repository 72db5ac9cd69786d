"""Verification: exact truth, exact moments, comparisons."""
