"""Samples know what was asked, and arms what they were measured at."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hybridrec.data.queries import QueryBatch
from hybridrec.data.ragged import Ragged
from hybridrec.data.segments.known_fields import KnownFields
from hybridrec.data.splits.base import Fold
from hybridrec.evaluation.samples import EvaluatedArm, Sample, distinct


def test_equal_parts_of_a_sample_are_one():
    everyone, half = np.ones(4, bool), np.array([True, False] * 2)
    different, places = distinct([everyone, half, everyone.copy(), ~half])
    assert [members.tolist() for members in different] == [everyone.tolist(), half.tolist(), (~half).tolist()]
    assert places == [0, 1, 0, 2]


def fold(history=((0, 1), ()), truth=((2,), (3,)), candidate_items=None):
    queries = QueryBatch(
        users=np.array([-1, -1], np.int32),
        history=Ragged.from_rows(history, 5),
        entities={},
        text=("", "title"),
    )
    matrix = Ragged.from_rows(truth, 5).matrix(binary=True)
    return Fold("f", None, queries, {"items": matrix}, np.array([4, 9], np.int32), np.ones(2), candidate_items)


def test_samples_know_what_was_asked():
    sample = Sample.of(fold())
    assert list(sample.segments) == ["items", "title"]
    assert sample.has_same_queries(Sample.of(fold()))
    for other in (
        fold(history=((0, 2), ())),
        fold(truth=((2,), (4,))),
        fold(truth=((2, 3), ())),
        fold(candidate_items=np.arange(5) > 1),
    ):
        assert not sample.has_same_queries(Sample.of(other))


def test_samples_of_folds_are_joined():
    first, second = Sample.of(fold()), Sample.of(fold(truth=((2,), (4,))))
    both = Sample.join([first, second])
    assert len(both) == 4
    assert not both.has_same_queries(Sample.join([second, first]))
    names = {name: int(where.sum()) for _, name, where in both.parts()}
    assert names == {"all": 4, "items": 2, "title": 2}


class ByHistory(KnownFields):
    """A segmenter by whether a history is shown."""

    def segment(self, queries, data):
        return np.where(queries.history.lengths > 0, "some", "none")


def test_samples_hold_the_segments_of_every_segmenter():
    segmenters = {"fields": KnownFields(), "shown": ByHistory()}
    both = Sample.join([Sample.of(fold(), segmenters), Sample.of(fold(truth=((2,), (4,))), segmenters)])
    assert (both.segmenter, list(both.more_segments)) == ("fields", ["shown"])
    sizes = {name: (segmenter, int(where.sum())) for segmenter, name, where in both.parts()}
    assert sizes == {
        "all": ("", 4), "items": ("fields", 2), "title": ("fields", 2),
        "shown: none": ("shown", 2), "shown: some": ("shown", 2),
    }  # fmt: skip
    carried = replace(fold(), queries=replace(fold().queries, segment=np.array(["x", "y"])))
    assert Sample.of(carried).segments.tolist() == ["x", "y"]
    assert Sample.of(carried).digest == Sample.of(fold()).digest  # other segments, the same queries


def arm(values, *, coverage=0.0, served_by=None):
    sample = Sample(np.arange(2, dtype=np.int32), np.ones(2), np.array(["items", "tags"]))
    more = {"coverage@5": np.array([coverage, coverage + 1])}
    return EvaluatedArm("a", sample, {"ndcg@5": np.array(values)}, {"coverage@5": coverage}, served_by, more)


def test_an_arm_is_averaged_over_its_repeats_query_by_query():
    served = np.array(["blend", "none"])
    first, second = arm([1.0, np.nan], coverage=0.2, served_by=served), arm([0.5, np.nan], coverage=0.4)
    assert EvaluatedArm.averaged([first]) is first
    mean = EvaluatedArm.averaged([first, second])
    np.testing.assert_array_equal(mean.values["ndcg@5"], [0.75, np.nan])
    assert mean.set_values["coverage@5"] == pytest.approx(0.3)
    np.testing.assert_allclose(mean.without_group["coverage@5"], [0.3, 1.3])
    assert mean.served_by is served


def test_values_are_a_column_for_each_metric():
    measured = arm([1.0, 0.5])
    assert measured.matrix(["ndcg@5", "ndcg@5"]).tolist() == [[1.0, 1.0], [0.5, 0.5]]
    assert measured.matrix([]).shape == (2, 0)
