"""Names of ranges of numbers, and of unknown values."""

from __future__ import annotations

from itertools import pairwise
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from hybridrec import Doubles

UNKNOWN = "unknown"
"""The segment of queries about which a segmenter knows nothing."""
B = TypeVar("B", int, float)


def ascending(bounds: list[B]) -> list[B]:
    """Return the bounds if they ascend; raises ValueError if not."""
    if any(low >= high for low, high in pairwise(bounds)):
        raise ValueError(f"'{', '.join(f'{bound:g}' for bound in bounds)}' do not ascend")
    return bounds


def by_bounds(values: Doubles, bounds: list[float]) -> NDArray[np.str_]:
    """Return str [Q]: the name of the range of each value, "unknown" for NaN.

    The ranges of the bounds 5 and 20 are "below 5", "from 5 to 20" and "from 20"; a bound belongs to the range above.
    """
    ends = [f"{bound:g}" for bound in bounds]
    names = [f"below {ends[0]}", *(f"from {a} to {b}" for a, b in pairwise(ends)), f"from {ends[-1]}", UNKNOWN]
    places = np.where(np.isnan(values), len(bounds) + 1, np.searchsorted(bounds, values, side="right"))
    return np.array(names, np.str_)[places]
