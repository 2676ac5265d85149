"""Names for the array types that flow through the engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

Bools: TypeAlias = NDArray[np.bool_]
"""Masks: bool."""
Floats: TypeAlias = NDArray[np.float32]
"""Scores and vectors: float32."""
Doubles: TypeAlias = NDArray[np.float64]
"""Weights of queries and values of metrics, what is summed over many: float64."""
Ints: TypeAlias = NDArray[np.int32]
"""Users, items and tags, as whole numbers from 0: int32."""
Longs: TypeAlias = NDArray[np.int64]
"""Offsets, and pairs of two ids in one number: int64."""
Sparse: TypeAlias = "csr_matrix"
"""A scipy `csr_matrix` of float32 (implicit does not take `csr_array`)."""

State: TypeAlias = dict[str, NDArray[Any]]
"""What a fitted component is: named arrays, nothing else."""

Target: TypeAlias = Literal["items", "tags"]
"""What is recommended: "items" or "tags"."""
Field: TypeAlias = Literal["user", "items", "tags", "title"]
"""What a query may know: "user", "items", "tags" or "title"."""

TARGETS: tuple[Target, ...] = ("items", "tags")
"""All targets, items first."""
FIELDS: tuple[Field, ...] = ("user", "items", "tags", "title")
"""All fields of a query, in the order in which segments name them."""
DAY = 86_400.0
"""Seconds of a day: times are seconds since 1970."""
PADDING = -1
"""Fills a row of ids that is shorter than the array is wide."""
