"""Comparison of all known systems on all data sets: `python -m benchmarks.systems [NAME...] [--quick]`."""
