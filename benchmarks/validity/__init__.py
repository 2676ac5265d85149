"""Validation of the statistics: simulations on the real per-query results of finished runs; see `__main__`."""
