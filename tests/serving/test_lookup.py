"""Typed names: ids are exact, titles are typed loosely, and what may be several is refused."""

import pytest

from hybridrec import DataError, Vocabulary
from hybridrec.serving.lookup import find, find_among
from hybridrec.testing import toy_dataset


def songs(*titles):
    return toy_dataset(items=len(titles)).with_entities("items", text=titles)


def test_an_id_is_that_id_or_an_error_with_the_nearest(recommender):
    data = recommender.data
    assert find("item 07", data, "items").score == 100
    with pytest.raises(DataError, match="none of 12 tags has the id 'Tag-03'; nearest: 'tag 03'"):
        find("Tag-03", data, "tags")  # tags have no titles
    with pytest.raises(DataError, match=r"none of 40 items has the id 'item 7' or a title like it; nearest: .*item 07"):
        find("item 7", data, "items")
    with pytest.raises(DataError, match=r"none of 40 items has the id '🎵🎵' or a title like it$"):
        find("🎵🎵", data, "items")


def test_titles_are_found_exactly_before_they_are_found_loosely() -> None:
    data = songs("봄날 🎸", "봄날 🌙", *(f"song {n}" for n in range(2, 40)))
    assert find("봄날 🌙", data, "items").id == data.items.vocabulary.ids[1]
    assert find("SONG 7 ", data, "items").name == "song 7"
    assert find("sng 12", data, "items").name == "song 12"
    assert find(data.items.vocabulary.ids[3], data, "items").name == "song 3"
    with pytest.raises(DataError, match=r"a title like it; or is it one of tags\?$"):
        find("qqqqqqqq", data, "items", "; or is it one of tags?")


@pytest.mark.parametrize("typed", ["Rainy Song 2", "Sunny Song 24", "Rainy", "Symphony of Joy", "Rainy Song 24 live"])
def test_titles_that_are_unlike_are_refused_with_the_nearest(typed):
    data = songs("Rainy Song 24", "Rainbow Song 9", "Symphony of Sorrow", "Dark Star")
    if typed == "Rainy":
        assert find(typed, data, "items").name == "Rainy Song 24"
        return
    with pytest.raises(DataError, match=r"or a title like it; nearest: '(Rainy Song 24|Symphony of Sorrow)' \(item 0"):
        find(typed, data, "items")


def test_titles_that_may_be_several_are_refused_with_all_of_them():
    data = songs(
        "Rainy Song 1",
        "Rainy Song 2",
        "Rainy Song 3",
        "Rainy Song 4",
        "Hello",
        "hello",
        "Dark Star",
        "Dark Star > Drums",
    )
    with pytest.raises(DataError, match=r"'rainy song' may be 'Rainy Song 1' \(item 00\), .* or 1 others: give the id"):
        find("rainy song", data, "items")
    with pytest.raises(DataError, match=r"'HELLO' may be 'Hello' \(item 04\), 'hello' \(item 05\): give the id"):
        find("HELLO", data, "items")
    assert find("drk star", data, "items").name == "Dark Star"


def test_names_that_are_no_entities_have_no_titles():
    features = Vocabulary(["artist:Ella Fitzgerald", "artist:Louis Armstrong", "genre:jazz"])
    assert find_among("genre:jazz", features, "features").score == 100
    with pytest.raises(DataError, match=r"none of 3 features has the id 'Ella'; nearest: 'artist:Ella Fitzgerald'"):
        find_among("Ella", features, "features")


def test_names_that_hold_a_code_are_found_by_what_follows_it():
    genres = Vocabulary(["genre:GN0101 Ballad", "genre:GN0201 dance", "genre:GN0202 club dance"])
    for typed in ("ballad", "genre:ballad", "Genre: BALLAD"):
        assert find_among(typed, genres, "features", genres.packed).id == "genre:GN0101 Ballad"
    with pytest.raises(DataError, match="'dance' may be 'genre:GN0201 dance', 'genre:GN0202 club dance': give the id"):
        find_among("dance", genres, "features", genres.packed)


def test_the_whole_name_decides_where_one_word_fits_many():
    names = [f"The {kind}s - {kind} Song {number}, Pt. 1" for kind in ("Night", "Day") for number in range(30)]
    data = toy_dataset(items=60).with_entities("items", text=tuple(names))
    assert find("nigth song 3 pt 1", data, "items").name == "The Nights - Night Song 3, Pt. 1"
    assert find("days day song 7", data, "items").name == "The Days - Day Song 7, Pt. 1"


def test_words_in_a_row_go_before_the_same_words_apart():
    data = songs("song 21 - artist 1", "song 1 - artist 7", "song 41 - artist 1")
    assert find("song 1", data, "items").name == "song 1 - artist 7"
