import numpy as np
import pytest

from hybridrec.data.embedded import FOLDER
from hybridrec.data.readers.setlists import SetlistsOptions, SetlistsReader


def performed(data, show):
    """The songs of a show, in order, by name."""
    row = data.users.vocabulary.encode([show])
    return [data.items.text[item] for item in data.interactions.take(row).ids]


def tags_of(data, show):
    return {
        data.vocabulary("tags").ids[int(tag)]
        for tag in data.user_matrix("tags")[data.users.vocabulary.encode([show])[0]].indices
    }


@pytest.fixture(scope="module")
def data():
    return SetlistsReader().read()


def test_the_file_is_small_and_its_licence_lies_beside_it():
    assert (FOLDER / "setlists.parquet").stat().st_size < 300_000
    assert "Jeff Smith" in (FOLDER / "LICENSE-setlists.txt").read_text()


@pytest.mark.parametrize(
    ("options", "shows", "songs", "performances"),
    [
        ({"min_items": 0, "drop": ()}, 2358, 436, 39774),
        ({"min_items": 0}, 2358, 433, 36435),
        ({}, 2076, 433, 36435),
        ({"min_items": 6}, 1961, 429, 36108),
    ],
)
def test_counts(options, shows, songs, performances):
    data = SetlistsReader(SetlistsOptions(**options)).read()
    assert (len(data.users), len(data.items), len(data.interactions.ids)) == (shows, songs, performances)


def test_a_show_is_a_playlist_in_order_with_its_repeats(data):
    songs = performed(data, "1977-05-08")
    assert songs[:2] == ["Minglewood Blues", "Loser"]
    assert songs[-2:] == ["Morning Dew", "One More Saturday Night"]
    assert songs.count("Saint Stephen") == 2
    assert data.users.text[data.users.vocabulary.encode(["1977-05-08"])[0]] == "Barton Hall, Cornell University, Ithaca"


def test_tags_come_from_date_and_place(data):
    assert tags_of(data, "1977-05-08") == {
        "year:1977",
        "decade:1970s",
        "month:05",
        "weekday:Sunday",
        "season:spring",
        "tour:1977 spring",
        "lineup:Keith Godchaux",
        "country:US",
        "state:NY",
        "city:Ithaca",
        "venue:Barton Hall, Cornell University",
    }
    assert "tour:1979 winter" in tags_of(data, "1978-12-31")
    assert not any(tag.startswith("state:") for tag in tags_of(data, "1972-05-26"))  # London has none


def test_tags_do_not_depend_on_the_songs(data):
    without = SetlistsReader(SetlistsOptions(min_items=0, drop=tuple(data.items.vocabulary.ids))).read()
    shared = without.users.vocabulary.encode(data.users.vocabulary.ids)
    assert len(without.items) == 3  # what is dropped by default
    assert tags_of(without, "1977-05-08") == tags_of(data, "1977-05-08")
    assert without.user_matrix("tags")[shared].sum() == data.user_matrix("tags").sum()


def test_tags_are_chosen_by_kind():
    data = SetlistsReader(SetlistsOptions(tags=("year", "state"))).read()
    assert tags_of(data, "1977-05-08") == {"year:1977", "state:NY"}


def test_two_shows_of_one_day_stay_apart(data):
    shows = [show for show in data.users.vocabulary.ids if show.startswith("1970-02-13")]
    assert shows == ["1970-02-13-0", "1970-02-13-1"]
    assert performed(data, shows[0]) != performed(data, shows[1])


def test_the_time_is_the_date(data):
    first = data.interactions.take(data.users.vocabulary.encode(["1977-05-08"])).times
    assert np.unique(first.astype("datetime64[s]").astype("datetime64[D]")) == np.datetime64("1977-05-08")
