"""The data layer: vocabularies, datasets, queries, readers and splits."""
