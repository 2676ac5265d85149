"""Segments of queries: the contract of segmenters, and the one by what queries know."""
