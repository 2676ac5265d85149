"""Blocks of rows and records of several lines are told from tables."""

from pathlib import Path

import pytest

from hybridrec.data.io.text_shapes import shape_of_lines


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["1:", "7,3", "8,4", "2:", "7,5"], "stand above blocks"),
        (["name: a", "stars: 3", "name: b", "stars: 4", "name: c", "stars: 4", "name: d", "stars: 1"], "each record"),
        (["user,song", "a,b", "a,c"], ""),
        (["note:", "one"], ""),
        (["12: 3", "14: 5"], ""),
    ],
)
def test_blocks_and_records_are_told_from_tables(lines, words):
    sentence = shape_of_lines(Path("x.txt"), lines)
    assert words in sentence
    assert bool(sentence) == bool(words)
