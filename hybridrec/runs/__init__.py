"""Finished runs on disk: writing, opening, comparing and exporting them."""
