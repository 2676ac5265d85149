"""Finished runs on disk: write, open, compare and export them, and read and write bundles."""
