"""Experiment files: their models, their checks, and what they resolve to."""
