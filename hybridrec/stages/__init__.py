"""The three stages: components, pools, pipelines, and the array kernels under them, which are loaded on first use."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
