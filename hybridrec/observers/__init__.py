"""Observers of runs, searches and served requests: their base class, the events, and how they are told."""
