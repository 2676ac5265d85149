"""`known-fields`: what a query knows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hybridrec.data.dataset import Dataset
from hybridrec.data.queries import KNOWN_FIELDS, QueryBatch
from hybridrec.data.segments.base import Segmenter


class KnownFields(Segmenter):
    """The fields that a query knows, joined by "+": `items+tags`, `title`, or `nothing`.

    It is what segments are where a config declares none: a blend may win where there is a history and lose where
    there is a title alone.
    """

    name = KNOWN_FIELDS

    def segment(self, queries: QueryBatch, data: Dataset) -> NDArray[np.str_]:
        """Return str [Q], the fields of each query."""
        return queries.known_fields()
