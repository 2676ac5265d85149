"""Pipelines on fitted components, and batches of queries through them."""
