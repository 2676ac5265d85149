"""The log of what was shown and what was done: append-only files that rotate into Parquet."""
