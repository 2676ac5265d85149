"""The data layer: vocabularies, datasets, queries, readers and splits.

`reading`, which plugins use, is loaded on first use, so that `import hybridrec` stays fast.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
