"""What is measured on a benchmark, with error bars: pure functions on numpy arrays.

Shapes, throughout: P problems, n samples of each, M columns, R resamples. `evaluate` puts the estimators together.
"""
