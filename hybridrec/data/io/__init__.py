"""Reading of files as checked columns, lines and arrays; `text_files`, for plugins, is loaded on first use."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
