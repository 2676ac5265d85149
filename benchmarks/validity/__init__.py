"""Validation of the statistics by simulations on the real per-query results of finished runs; see `__main__`."""
