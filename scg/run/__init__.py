"""Run: what a user calls, from arguments that are checked to results that are arranged."""
