"""The contract of segmenters, and the function that calls a segmenter and checks its result."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hybridrec.data.dataset import Dataset
from hybridrec.data.queries import ALL, QueryBatch
from hybridrec.errors import PluginError
from hybridrec.plugin import Plugin
from hybridrec.tracing import calling


class Segmenter(Plugin):
    """A partition of the queries into named groups.

    Reports show every metric in each segment, and the first segmenter of a config feeds the blends and guards that
    learn by segment, in the evaluation and when serving. So the name of a segment depends on the query and on the
    data alone, never on the other queries of a batch: two equal queries are in the same segment.
    """

    @abstractmethod
    def segment(self, queries: QueryBatch, data: Dataset) -> NDArray[np.str_]:
        """Return the name of each query's segment: str [Q]; no name may be empty or "all".

        `data` is the training part of the fold. When serving it is the data in the bundle, which has no content vectors
        and, if the bundle was made without users, no users.
        """


def segments_of(segmenter: Segmenter, queries: QueryBatch, data: Dataset) -> NDArray[np.str_]:
    """Return the name of each query's segment: str [Q]; raises PluginError if the segmenter breaks its contract."""
    with calling(segmenter, "while naming the segments of queries"):
        names = segmenter.segment(replace(queries, segment=None), data)
        if not isinstance(names, np.ndarray) or names.dtype.kind != "U" or names.shape != (len(queries),):
            returned = f"{names.dtype} {list(names.shape)}" if isinstance(names, np.ndarray) else type(names).__name__
            raise PluginError(f"segment must return an array of text [{len(queries)}], not {returned}")
        for reserved, meaning in (("", "the empty text"), (ALL, f"'{ALL}', which means every query")):
            if (wrong := names == reserved).any():
                raise PluginError(f"segment named query {int(np.argmax(wrong))} {meaning}; choose another name")
    return names
