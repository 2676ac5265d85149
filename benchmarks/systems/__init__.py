"""Comparison of every known system on every data set: `python -m benchmarks.systems [NAME...] [--quick]`."""
