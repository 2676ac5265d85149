"""hybridrec: candidates from many models, blended, re-ranked and measured.

What this module exports is the public API: plugins may import nothing else. The names and their homes
stand in `__init__.pyi`; each is loaded on first use, so that `import hybridrec` and the light commands
stay fast.
"""

from typing import Any

import lazy_loader

from hybridrec.deprecations import renamed

__version__ = "0.1.0.dev0"

_load, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __getattr__(name: str) -> Any:
    """Load a name of the public API, also by the name it had before."""
    return _load(name if name in __all__ else renamed("name", name) or name)
