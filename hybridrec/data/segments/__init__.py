"""Segments of queries: the contract of segmenters, and the segmenter by the fields that queries have."""
