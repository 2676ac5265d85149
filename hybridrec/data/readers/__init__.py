"""Readers, which turn files into a dataset."""
