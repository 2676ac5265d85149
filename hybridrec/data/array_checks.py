"""Check of the type and the shape of an array, for every array that a plugin returns."""

from __future__ import annotations

import numpy as np

from hybridrec.errors import PluginError


def check_array(subject: str, array: object, dtype: type[np.generic], shape: tuple[int, ...]) -> None:
    """Raise PluginError unless `array` is a numpy array of this type and shape; `subject` names it in the message."""
    if not isinstance(array, np.ndarray):
        raise PluginError(f"{subject} must be a numpy array, not {type(array).__name__}")
    if array.dtype != dtype:
        raise PluginError(f"{subject} must be {np.dtype(dtype)}, not {array.dtype}")
    if array.shape != shape:
        raise PluginError(f"{subject} must have the shape {list(shape)}, not {list(array.shape)}")
