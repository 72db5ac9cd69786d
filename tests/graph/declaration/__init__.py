"""Tests of declarations as data."""
