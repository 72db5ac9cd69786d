"""The laws of the compiler, checked exactly against an independent oracle."""
