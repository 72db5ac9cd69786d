"""The published estimators, one file each."""
