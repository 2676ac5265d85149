"""Finished runs on disk: written, opened, compared and exported."""
