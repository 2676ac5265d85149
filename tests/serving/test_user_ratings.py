"""A person's own ratings: read by id or loose name, refused with file and line."""

import re
from dataclasses import replace

import numpy as np
import pytest

from hybridrec import DataError
from hybridrec.serving.user_ratings import read_ratings
from hybridrec.testing import toy_dataset


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("item 02\n", "line 1: 1 fields, not `item,rating`"),
        ("item,rating\nitem 02,good\n", "line 2: the rating of 'item 02' is 'good', not a number from 0"),
        ("item 02,1\nitem 04,-1\n", "line 2: the rating of 'item 04' is '-1'"),
        ("item 02,1\n\nitem 04,nan\n", "line 3: the rating of 'item 04' is 'nan'"),
        ("item 02,1\n#!?*,1\n", "line 2: none of 40 items has the id '#!?*' or a title like it"),
        ("item 02,1\nitem 04,1\nitem 02,0\n", "line 3: 'item 02' is 'even song 2', as is 'item 02' in line 1"),
        ('item 02,1\n"item 04,1\n', "line 2: unexpected end of data; put names with commas or quotes in quotes"),
        ("item 02,0\n", "has no rating above 0"),
    ],
)
def test_ratings_that_cannot_be_used_are_named_with_their_line(text, message, tmp_path):
    (tmp_path / "mine.csv").write_text(text)
    with pytest.raises(DataError, match=re.escape(message)):
        read_ratings(tmp_path / "mine.csv", toy_dataset())


@pytest.mark.parametrize(
    ("weights", "rating", "reason"),
    [
        (None, "1.4", "the data of this run has no ratings above 1"),
        ([1, 1], "2", "the data of this run has no ratings above 1"),
        ([0.5, 1], "1.4", "the data of this run has no ratings above 1"),
        ([1, 5], "6", "the largest weight in the data of this run is 5"),
        ([1, 5], "1.4", "the weights in the data of this run are whole numbers"),
        (None, "1", ""),
        ([1, 5], "5", ""),
        ([1, 5], "0.4", ""),
        ([0.5, 5], "1.4", ""),
    ],
)
def test_ratings_above_one_are_on_the_scale_of_the_data(weights, rating, reason, tmp_path):
    file = tmp_path / "mine.csv"
    file.write_text(f"item 02,1\nitem 04,{rating}\n")
    data = toy_dataset()
    if weights is not None:
        weights = np.resize(np.array(weights, np.float32), len(data.interactions.ids))
    data = replace(data, interactions=replace(data.interactions, weights=weights))
    if reason:
        with pytest.raises(DataError, match=f"line 2: the rating of 'item 04' is '{re.escape(rating)}'; {reason}"):
            read_ratings(file, data)
    else:
        assert [row.rating for row in read_ratings(file, data)] == [1, float(rating)]
        nobody = data.hide(np.ones(len(data.interactions.ids), bool))
        file.write_text("item 02,9.5\n")
        assert read_ratings(file, nobody)[0].rating == 9.5


def test_a_missing_file_of_ratings(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        read_ratings(tmp_path / "mine.csv", toy_dataset())


def test_ratings_are_read_with_and_without_a_header_by_id_or_loosely(tmp_path):
    file = tmp_path / "mine.csv"
    for text in (' Item , Rating\nitem 02,1\n"Odd Song 3",0\n', "\ufeffitem 02, 1.0\n\n  odd song 3 ,0\n"):
        file.write_text(text, encoding="utf-8")
        titles = tuple(f"{'odd' if number % 2 else 'even'} song {number}" for number in range(40))
        ratings = read_ratings(file, toy_dataset().with_entities("items", text=titles))
        assert [(rating.match.id, rating.rating) for rating in ratings] == [("item 02", 1.0), ("item 03", 0.0)]
    file.write_bytes(b"item 02,1\n\xff\n")
    with pytest.raises(DataError, match="cannot be read as UTF-8 text"):
        read_ratings(file, toy_dataset())
