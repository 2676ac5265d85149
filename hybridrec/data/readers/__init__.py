"""Readers: from files to a dataset."""
