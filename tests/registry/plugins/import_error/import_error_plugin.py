"""Fails while it is imported."""

raise RuntimeError("half of me is missing")
