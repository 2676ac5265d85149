"""Names of the types of arrays, entities and fields that all modules use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

Bools: TypeAlias = NDArray[np.bool_]
"""An array of bool, for masks."""
Floats: TypeAlias = NDArray[np.float32]
"""An array of float32, for scores and vectors."""
Doubles: TypeAlias = NDArray[np.float64]
"""An array of float64, for weights of queries and values of metrics, of which many are summed."""
Ints: TypeAlias = NDArray[np.int32]
"""An array of int32, for codes of users, items and tags, which count from 0."""
Longs: TypeAlias = NDArray[np.int64]
"""An array of int64, for offsets and keys of pairs of ids."""
Sparse: TypeAlias = "csr_matrix"
"""A scipy `csr_matrix` of float32 (implicit does not accept `csr_array`)."""

State: TypeAlias = dict[str, NDArray[Any]]
"""The state of a fitted component: arrays by name."""

EntityKind: TypeAlias = str
"""The name of a kind of entities: "users", "items", or another kind of the data ("tags", "artists", "venues")."""
Target: TypeAlias = str
"""The kind of entities to recommend: "items", or a kind that users carry."""
Field: TypeAlias = str
"""A field of queries: "user", "items", "title", or a kind of entities."""

KIND_NAME = r"^[a-z][a-z0-9_-]*$"
"""The pattern of names of kinds of entities."""
USERS = "users"
"""The name of the kind at one end of interactions."""
ITEMS = "items"
"""The name of the kind at the other end of interactions."""
EVERY_KIND = "*"
"""Stands for several kinds: in `Component.targets` for items and every kind that users carry, in `Component.needs` for
items and every other kind."""
DAY = 86_400.0
"""Seconds of a day; times are seconds since 1970."""
PADDING = -1
"""The value that fills rows with fewer ids than the array is wide."""
