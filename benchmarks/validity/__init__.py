"""Are the statistics right? Simulations on the real per-query results of finished runs; see `__main__`."""
