"""Segmenter `known-fields`: segments by the fields that queries have."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hybridrec.data.dataset import Dataset
from hybridrec.data.queries import KNOWN_FIELDS, QueryBatch
from hybridrec.data.segments.base import Segmenter


class KnownFields(Segmenter):
    """The fields that a query has, joined by "+": `items+tags`, `title`, or `nothing`.

    A config that declares no segmenter gets this one, since a blend may win for queries with a history and lose for
    queries with only a title.
    """

    name = KNOWN_FIELDS

    def segment(self, queries: QueryBatch, data: Dataset) -> NDArray[np.str_]:
        """Return the fields that each query has, joined by "+": str [Q]."""
        return queries.known_fields()
