"""Names for the array types that flow through the engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

Bools: TypeAlias = NDArray[np.bool_]
Floats: TypeAlias = NDArray[np.float32]
Doubles: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int32]
Longs: TypeAlias = NDArray[np.int64]
Sparse: TypeAlias = "csr_matrix"
"""A scipy `csr_matrix` of float32 (implicit does not take `csr_array`)."""

State: TypeAlias = dict[str, NDArray[Any]]
"""What a fitted component is: named arrays, nothing else."""

Target: TypeAlias = Literal["items", "tags"]
Field: TypeAlias = Literal["user", "items", "tags", "title"]

TARGETS: tuple[Target, ...] = ("items", "tags")
FIELDS: tuple[Field, ...] = ("user", "items", "tags", "title")
PADDING = -1
"""Fills a row of ids that is shorter than the array is wide."""
