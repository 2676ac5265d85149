"""The data layer: vocabularies, datasets, queries, readers and splits."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(__name__, submodules=["reading"])
