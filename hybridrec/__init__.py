"""hybridrec: candidates from many models, blended, re-ranked and measured.

What this module exports is the public API: plugins may import nothing else. The names and their homes
stand in `__init__.pyi`; each is loaded on first use, so that `import hybridrec` and the light commands
stay fast.
"""

import lazy_loader

__version__ = "0.1.0.dev0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
