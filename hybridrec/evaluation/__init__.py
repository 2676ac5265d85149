"""Metrics, statistics, comparison and the report."""
