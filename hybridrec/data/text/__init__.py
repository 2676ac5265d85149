"""Texts as words and tokens."""
