"""Experiment files: read, validate and check them; the result is a checked experiment."""
