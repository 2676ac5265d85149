"""The contract suite of segmenters: the checks that they must pass."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from hybridrec.data.dataset import Dataset
from hybridrec.data.queries import QueryBatch
from hybridrec.data.segments.base import Segmenter, segments_of
from hybridrec.inference.servable import served_data, without_users
from hybridrec.testing.contract import QueryContract


class SegmenterContract(QueryContract):
    """The contract suite of segmenters, with a named check for each requirement.

    segmenter: the class under test
    configs: the options to test it with, one dict each, as in the YAML
    """

    role = "segmenter"
    segmenter: ClassVar[type[Segmenter]]

    def test_options_can_be_given(self, options: Mapping[str, Any]) -> None:
        """Require options with names other than `use` and `as`, which the config keeps for itself."""
        fields = self.segmenter.Config.model_fields.items()
        taken = {"use", "as"} & {field.alias or key for key, field in fields}
        assert not taken, f"the config means something else by {', '.join(sorted(taken))}: rename the option"

    def test_every_query_has_a_segment(self, options: Mapping[str, Any]) -> None:
        """Require an array of text with one name for each query, and an empty array for an empty batch."""
        data, queries, segmenter = self.data(), self.queries(), self.made(options)
        segments_of(segmenter, queries, data)
        segments_of(segmenter, queries.take(slice(0, 0)), data)

    def test_batch_and_one_by_one_agree(self, options: Mapping[str, Any]) -> None:
        """Require the segment of a query not to depend on the rest of the batch, since a request comes alone."""
        data, queries, segmenter = self.data(), self.queries(), self.made(options)
        together = segments_of(segmenter, queries, data)
        alone = [segments_of(segmenter, queries.take(np.array([row])), data)[0] for row in range(len(queries))]
        for row, (segment, other) in enumerate(zip(alone, together, strict=True)):
            assert segment == other, f"query {row} is in '{segment}' alone and in '{other}' among others"

    def test_same_queries_same_segments(self, options: Mapping[str, Any]) -> None:
        """Require the same segments at every call, and by another instance with the same options."""
        data, queries, segmenter = self.data(), self.queries(), self.made(options)
        first = segments_of(segmenter, queries, data).tolist()
        assert first == segments_of(segmenter, queries, data).tolist(), "other segments the second time"
        assert first == segments_of(self.made(options), queries, data).tolist(), "another instance, other segments"

    def test_served_as_measured(self, options: Mapping[str, Any]) -> None:
        """Require the same segments with the data of a bundle as with the data of the checks.

        With the data of a bundle without users, the segments must be valid.
        """
        data, queries, segmenter = self.data(), self.queries(), self.made(options)
        measured = segments_of(segmenter, queries, data).tolist()
        served = segments_of(segmenter, queries, served_data(data)).tolist()
        assert served == measured, "other segments when serving, where content vectors and assignments are left out"
        bare = without_users(served_data(data))
        segments_of(segmenter, self.queries().take(np.flatnonzero(queries.users < 0)), bare)

    def ask(self, options: Mapping[str, Any], data: Dataset, queries: QueryBatch) -> None:
        """Make an instance, and let it name the segments of the queries."""
        self.made(options).segment(queries, data)
