"""Small tables of plays, read by the reader `table`."""

import polars as pl
import pytest

from hybridrec.errors import DataError

PLAYS = {"path": "plays.csv", "user": "uid", "item": "song"}


def plays_of(data, user):
    """The items of a user, in order, by id."""
    row = data.users.vocabulary.encode([user])
    assert row[0] >= 0
    return list(data.items.vocabulary.decode(data.interactions.take(row).ids))


def tags_of(data, matrix, row):
    return {data.vocabulary("tags").ids[int(tag)] for tag in matrix[row].indices}


PIECES = pl.DataFrame(
    {"uid": [f"u{row * 7 % 31}" for row in range(600)], "song": [f"s{row % 13}" for row in range(600)]}
)


def refused(read, content, *says, **mapping):
    with pytest.raises(DataError) as caught:
        read({"plays.csv": content} if isinstance(content, str | bytes) else content, **mapping)
    message = str(caught.value)
    for text in says:
        assert text in message
    assert "\n" not in message
