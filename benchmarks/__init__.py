"""Measurements of hybridrec and alternatives for the same tasks: `python -m benchmarks NAME...|all [--quick]`."""
