"""The contract of readers: those of the project keep it, broken ones do not."""

import json

import pytest

from hybridrec.data.readers.movietweetings import MovieTweetingsReader
from hybridrec.data.readers.setlists import SetlistsReader
from hybridrec.testing import ReaderContract
from tests.broken import BadWeights, Changing, Claims, Empty, GoodReader, NoDataError, Objects
from tests.testing.outcomes import SHARED, assert_caught


class TestSetlists(ReaderContract):
    reader = SetlistsReader
    configs = [{"min_items": 20}]


class TestMovieTweetings(ReaderContract):
    reader = MovieTweetingsReader


BROKEN = [
    (Empty, "reads_a_dataset", "no interactions"),
    (Claims, "recognises_what_it_reads", "it recognises files though there are none"),
    (BadWeights, "numbers_are_sound", "weight is NaN"),
    (Changing, "reads_the_same_twice", "other data"),
    (Objects, "data_survives_a_file", "Python objects"),
    (NoDataError, "missing_files_are_named", "is a missing file"),
]


@pytest.mark.filterwarnings("ignore:All-NaN", "ignore:invalid value")
@pytest.mark.parametrize(
    ("broken", "check", "message"), BROKEN, ids=[f"{broken.__name__}-{check}" for broken, check, _ in BROKEN]
)
def test_each_check_catches_a_plugin_that_breaks_it(broken, check, message, tmp_path):
    (tmp_path / "plays.json").write_text(json.dumps({}))
    configs = ({"path": str(tmp_path / "plays.json")},)
    assert_caught(ReaderContract, broken, GoodReader, check, message, configs=configs)


def test_every_check_has_a_plugin_that_breaks_it():
    assert {*ReaderContract.checks()} - SHARED == {check for _, check, _ in BROKEN}
