"""Loosely typed names: by id, by name, else the nearest name, or none."""

import pytest

from hybridrec import DataError, Vocabulary
from hybridrec.serving.lookup import find, find_among
from hybridrec.testing import toy_dataset


def test_names_are_found_loosely(recommender):
    data = recommender.data
    assert find("item 07", data, "items") == find("item 07", data, "items")
    assert find("item 07", data, "items").score == 100
    assert find("Tag-03", data, "tags").id == "tag 03"
    with pytest.raises(DataError, match="nothing among 40 items is called like '🎵🎵'"):
        find("🎵🎵", data, "items")


def test_names_are_found_exactly_before_they_are_found_loosely() -> None:
    data = toy_dataset()
    names = ("봄날 🎸", "봄날 🌙", *(f"song {n}" for n in range(2, len(data.items))))
    data = data.with_entities("items", text=names)
    assert find("봄날 🌙", data, "items").id == data.items.vocabulary.ids[1]
    assert find("SONG 7", data, "items").name == "song 7"
    assert find("sng 12", data, "items").name == "song 12"
    assert find(data.items.vocabulary.ids[3], data, "items").name == names[3]
    with pytest.raises(DataError, match="--by tag"):
        find("qqqqqqqq", data, "items")


def test_names_that_are_no_entities_are_found_likewise():
    features = Vocabulary(["artist:Ella Fitzgerald", "artist:Louis Armstrong", "genre:jazz"])
    assert find_among("Ella", features, features.packed, "features").id == "artist:Ella Fitzgerald"
    assert find_among("genre:jazz", features, features.packed, "features").score == 100
    with pytest.raises(DataError, match=r"nothing among 3 features is called like 'qqqq'$"):
        find_among("qqqq", features, features.packed, "features")


def test_the_whole_name_decides_where_one_word_fits_many():
    names = [f"The {kind}s - {kind} Song {number}, Pt. 1" for kind in ("Night", "Day") for number in range(30)]
    data = toy_dataset(items=60).with_entities("items", text=tuple(names))
    assert find("nigth song 3 pt 1", data, "items").name == "The Nights - Night Song 3, Pt. 1"
    assert find("days day song 7", data, "items").name == "The Days - Day Song 7, Pt. 1"
