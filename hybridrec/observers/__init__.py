"""Observers of runs, searches and served requests: their base class, the events, and the dispatch of events."""
