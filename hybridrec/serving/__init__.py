"""Serving: load the bundle of a finished run, recommend, explain, find neighbours, and refresh with new data."""
