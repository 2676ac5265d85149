"""Names of the array types of the engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

Bools: TypeAlias = NDArray[np.bool_]
"""Masks: bool."""
Floats: TypeAlias = NDArray[np.float32]
"""Scores and vectors: float32."""
Doubles: TypeAlias = NDArray[np.float64]
"""Weights of queries and values of metrics, which are summed over many: float64."""
Ints: TypeAlias = NDArray[np.int32]
"""Codes of users, items and tags, from 0: int32."""
Longs: TypeAlias = NDArray[np.int64]
"""Offsets, and keys of pairs of ids: int64."""
Sparse: TypeAlias = "csr_matrix"
"""A scipy `csr_matrix` of float32 (implicit does not accept `csr_array`)."""

State: TypeAlias = dict[str, NDArray[Any]]
"""The state of a fitted component: named arrays only."""

EntityKind: TypeAlias = str
"""The name of a kind of entities: "users", "items", or any that the data brings ("tags", "artists", "venues")."""
Target: TypeAlias = str
"""The kind of entities to recommend: "items", or a kind that users carry."""
Field: TypeAlias = str
"""A field of queries: "user", "items", "title", or a kind of entities."""

KIND_NAME = r"^[a-z][a-z0-9_-]*$"
"""The pattern of names of kinds of entities."""
USERS = "users"
"""The kind at one end of interactions."""
ITEMS = "items"
"""The kind at the other end of interactions."""
EVERY_KIND = "*"
"""In `Component.targets`: items and every kind that users carry; in `needs`: items and every other kind."""
DAY = 86_400.0
"""Seconds per day; times are seconds since 1970."""
PADDING = -1
"""The value that fills rows with fewer ids than the array is wide."""
