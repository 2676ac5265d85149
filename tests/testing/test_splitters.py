"""The contract of splitters: those of the project keep it, broken ones do not."""

import pytest

from hybridrec.data import splits
from hybridrec.testing import SplitterContract
from tests.broken import (
    AsksForNothing,
    ForgetsTags,
    Halves,
    Leaks,
    TrainsOnEverything,
    UnseededSplit,
    Weightless,
    WritesToTheData,
)
from tests.testing.outcomes import SHARED, assert_caught


class TestMasked(SplitterContract):
    splitter = splits.Masked


class TestRandom(SplitterContract):
    splitter = splits.Random


class TestLeaveOneOut(SplitterContract):
    splitter = splits.LeaveOneOut
    configs = [{}, {"pick": "random"}]


class TestEachPosition(SplitterContract):
    splitter = splits.EachPosition
    configs = [{}, {"window": 1}, {"test": 3, "validation": 2, "window": 1000}]


class TestTemporal(SplitterContract):
    splitter = splits.Temporal


class TestColdItems(SplitterContract):
    splitter = splits.ColdItems


class TestPublishedFolds(SplitterContract):
    splitter = splits.PredefinedSplit


BROKEN = [
    (Weightless, "folds_are_well_formed", "not positive"),
    (ForgetsTags, "folds_are_well_formed", "fold 'test': truth lacks 'tags'"),
    (AsksForNothing, "every_query_asks_for_something", "asks for nothing"),
    (Leaks, "truth_is_hidden", "in its history"),
    (TrainsOnEverything, "truth_is_hidden", "training history"),
    (TrainsOnEverything, "training_is_a_part_of_the_data", "hides nothing"),
    (UnseededSplit, "same_seed_same_folds", "other folds"),
    (WritesToTheData, "does_not_write_to_its_input", "writes to a shared array"),
]


@pytest.mark.filterwarnings("ignore:All-NaN", "ignore:invalid value")
@pytest.mark.parametrize(
    ("broken", "check", "message"), BROKEN, ids=[f"{broken.__name__}-{check}" for broken, check, _ in BROKEN]
)
def test_each_check_catches_a_plugin_that_breaks_it(broken, check, message):
    assert_caught(SplitterContract, broken, Halves, check, message)


def test_every_check_has_a_plugin_that_breaks_it():
    assert {*SplitterContract.checks()} - SHARED == {check for _, check, _ in BROKEN}
