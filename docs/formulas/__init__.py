"""Formulas of estimators, read from text: typeset on pages, evaluated on noise by the tests."""
