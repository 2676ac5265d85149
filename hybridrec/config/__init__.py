"""Experiment files: their reading, their models and checks, and the checked experiment that comes of them."""
