"""Benchmarks: what the program costs, beside its alternatives. One command each; results are JSON files that table.py renders."""
