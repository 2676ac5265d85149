import numpy as np
import pytest

from hybridrec.data.embedded import FOLDER
from hybridrec.data.readers.movietweetings import MovieTweetingsOptions, MovieTweetingsReader


@pytest.fixture(scope="module")
def data():
    return MovieTweetingsReader().read()


def test_the_files_are_small_and_their_licence_lies_beside_them():
    assert sum(path.stat().st_size for path in FOLDER.glob("movietweetings-*.parquet")) < 500_000
    assert "Simon Dooms" in (FOLDER / "LICENSE-movietweetings.txt").read_text()


@pytest.mark.parametrize(("least", "users", "films", "ratings"), [(1, 10455, 7504, 49995), (6, 9916, 6606, 42848)])
def test_counts(least, users, films, ratings):
    data = MovieTweetingsReader(MovieTweetingsOptions(min_rating=least)).read()
    assert (len(data.users), len(data.items), len(data.interactions.ids)) == (users, films, ratings)
    assert data.interactions.weights.min() >= least


def test_users_are_running_numbers(data):
    assert sorted(data.users.vocabulary.ids.cast(int)) == list(range(1, 10456))


def test_a_film_has_title_year_and_genres(data):
    film = data.items.vocabulary.encode(["0110912"])[0]
    assert data.items.text[film] == "Pulp Fiction"
    assert data.items.times[film].astype("datetime64[s]") == np.datetime64("1994-01-01")
    tags = {data.vocabulary("tags").ids[int(tag)] for tag in data.item_matrix("tags")[film].indices}
    features = {data.items.features.names[feature] for feature in data.items.features.matrix[film].indices}
    assert "genre:Crime" in tags
    assert features == tags | {"year:1994", "decade:1990s"}


def test_ratings_stand_in_order_of_time(data):
    steps = np.diff(data.interactions.times)
    inner = np.diff(data.interactions.rows) == 0
    assert (steps[inner] >= 0).all()


def test_weights_follow_the_option():
    plain = MovieTweetingsReader(MovieTweetingsOptions(weight={"transform": "binary"})).read()
    assert plain.interactions.weights is None
