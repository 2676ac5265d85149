"""The contract of segmenters: that of the core keeps it, broken ones do not."""

import pytest

from hybridrec.data.segments.known_fields import KnownFields
from hybridrec.testing import SegmenterContract
from tests.broken import (
    BesideTheMean,
    Draws,
    ForgetsTimes,
    Lengths,
    NeedsVectors,
    TakesTheLabel,
    Unnamed,
)
from tests.testing.outcomes import SHARED, assert_caught


class TestKnownFields(SegmenterContract):
    segmenter = KnownFields


BROKEN = [
    (TakesTheLabel, "options_can_be_given", "something else by as"),
    (Unnamed, "every_query_has_a_segment", "the empty text"),
    (BesideTheMean, "batch_and_one_by_one_agree", "among others"),
    (Draws, "same_queries_same_segments", "the second time"),
    (NeedsVectors, "served_as_measured", "other segments when serving"),
    (ForgetsTimes, "does_not_write_to_its_input", "writes to a shared array"),
]


@pytest.mark.parametrize(("broken", "check", "message"), BROKEN, ids=[broken.__name__ for broken, *_ in BROKEN])
def test_each_check_catches_a_plugin_that_breaks_it(broken, check, message):
    assert_caught(SegmenterContract, broken, Lengths, check, message)


def test_every_check_has_a_plugin_that_breaks_it():
    assert {*SegmenterContract.checks()} - SHARED == {check for _, check, _ in BROKEN}
