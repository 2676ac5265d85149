"""Measurements of hybridrec beside other ways to do the same: `python -m benchmarks NAME...|all [--quick]`."""
