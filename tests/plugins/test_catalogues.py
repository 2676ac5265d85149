"""The readers of catalogues: what they find in each format, and what they say of malformed lines."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from hybridrec import DataError
from hybridrec.testing import ReaderContract
from hybridrec_catalogues.feature_lines import FeatureLinesOptions, FeatureLinesReader
from hybridrec_catalogues.hetrec import HetRecLastfmOptions, HetRecLastfmReader
from hybridrec_catalogues.movielens import MovieLensOptions, MovieLensReader

FIXTURES = Path(__file__).parent / "fixtures"
SHARED = Path(__file__).parents[3] / "shared" / "data"
EDITIONS = ("100k", "1m", "10m", "latest")
LINES = FIXTURES / "feature-lines"


class TestMovieLens(ReaderContract):
    reader = MovieLensReader
    configs = [{"folder": str(FIXTURES / f"movielens-{edition}")} for edition in EDITIONS]


class TestHetRecLastfm(ReaderContract):
    reader = HetRecLastfmReader
    configs = [{"folder": str(FIXTURES / "hetrec-lastfm"), "friends": friends} for friends in (True, False)]


class TestFeatureLines(ReaderContract):
    reader = FeatureLinesReader
    configs = [
        {"interactions": str(LINES / "interactions.txt"), "item_features": str(LINES / "item_features.txt")},
        {"interactions": str(LINES / "interactions.txt"), "user_features": str(LINES / "user_features.txt")},
    ]


def movielens(folder, **options):
    reader = MovieLensReader(MovieLensOptions(folder=folder, **options))
    return reader.read(), reader


def named(features, row):
    return {features.names[place] for place in features.matrix[row].indices}


def date_of(seconds):
    return str(np.datetime64(int(seconds), "s"))[:10]


@pytest.mark.parametrize("edition", EDITIONS)
def test_films_and_ratings_of_every_format(edition):
    data, reader = movielens(FIXTURES / f"movielens-{edition}")
    assert reader.notes() == []
    first, second = data.items.vocabulary.encode(["1", "2"])
    assert data.items.text[first] == "Paper Lanterns (1994)"
    assert data.items.text[second].startswith("Café Minuit")
    assert date_of(data.items.times[first]) == ("1994-01-14" if edition == "100k" else "1994-01-01")
    assert named(data.items.features, second) == {"genre:Drama", "genre:Romance", "year:1995", "decade:1990s"}
    assert {data.vocabulary("tags").ids[int(tag)] for tag in data.item_has["tags"][first].indices} == {
        "genre:Drama",
        "genre:Comedy",
    }
    assert set(data.items.vocabulary.decode(data.interactions.take(data.users.vocabulary.encode(["1"])).ids)) == {
        "1",
        "2",
    }
    assert data.interactions.times is not None
    assert data.interactions.weights.max() == 5


def test_users_of_the_older_formats_have_features():
    data, _ = movielens(FIXTURES / "movielens-100k")
    assert named(data.users.features, data.users.vocabulary.encode(["2"])[0]) == {
        "age:53",
        "gender:F",
        "occupation:other",
    }
    data, _ = movielens(FIXTURES / "movielens-1m")
    assert named(data.users.features, data.users.vocabulary.encode(["1"])[0]) == {"age:1", "gender:F", "occupation:10"}


def test_tags_of_users_are_assignments():
    data, _ = movielens(FIXTURES / "movielens-latest")
    users, items, tags = data.assignments["tags"].T
    told = {
        *zip(
            data.users.vocabulary.decode(users),
            data.items.vocabulary.decode(items),
            data.vocabulary("tags").decode(tags),
            strict=True,
        )
    }
    assert told == {("1", "1", "rainy"), ("1", "2", "slow, but good"), ("2", "3", '"cult"')}
    assert data.items.text[data.items.vocabulary.encode(["2"])[0]] == 'Café Minuit, or "The Return" (1995)'
    assert "4" in data.items.vocabulary  # a film that nobody has rated
    data, _ = movielens(FIXTURES / "movielens-10m")
    assert set(data.vocabulary("tags").decode(data.assignments["tags"][:, 2])) == {"slow: but good", "rainy"}


def test_low_ratings_are_left_out():
    data, _ = movielens(FIXTURES / "movielens-latest", min_rating=4)
    assert data.interactions.weights.tolist() == [4.5, 4.0, 5.0]


@pytest.mark.parametrize(
    ("edition", "file", "line", "told"),
    [
        ("100k", "u.data", "1\t1\t5\n", "not user, item, rating, time"),
        ("1m", "ratings.dat", "1::99::5::978300760\n", "unknown film 99"),
        ("10m", "movies.dat", "1::Again (1994)::Drama\n", "item 1 occurs again"),
        ("latest", "ratings.csv", "1,2,five,964982703\n", "not user, item, rating, time"),
        ("latest", "tags.csv", b"1,2,\xe9t\xe9,964982703\n", "not utf-8"),
    ],
)
def test_malformed_lines_are_counted_or_refused(tmp_path, edition, file, line, told):
    folder = tmp_path / "copy"
    shutil.copytree(FIXTURES / f"movielens-{edition}", folder)
    before = (folder / file).read_bytes()
    (folder / file).write_bytes(before + (line if isinstance(line, bytes) else line.encode()))
    place = f"line {len(before.splitlines()) + 1}: {told}"
    with pytest.raises(DataError, match=f"{file}, {place}"):
        movielens(folder)
    data, reader = movielens(folder, strict=False)
    assert data.fingerprint == movielens(FIXTURES / f"movielens-{edition}")[0].fingerprint
    assert reader.notes() == [f"{folder / file}: 1 malformed line was skipped; {place}"]


def test_a_folder_without_movielens_says_where_to_get_it(tmp_path):
    with pytest.raises(DataError, match=r"does not hold MovieLens: .*grouplens.org"):
        movielens(tmp_path)
    with pytest.raises(DataError, match=r"user_artists.dat: no such file. HetRec 2011 .* not for commercial use"):
        HetRecLastfmReader(HetRecLastfmOptions(folder=tmp_path)).read()


def test_counts_tags_and_friends_of_lastfm():
    data = HetRecLastfmReader(HetRecLastfmOptions(folder=FIXTURES / "hetrec-lastfm")).read()
    assert list(data.items.vocabulary.ids) == ["51", "52", "53", "54"]
    assert data.items.text[1] == "Soñadora"
    assert data.interactions.weights.max() == 13883
    users, items, tags = data.assignments["tags"].T
    told = {
        *zip(
            data.users.vocabulary.decode(users),
            data.items.vocabulary.decode(items),
            data.vocabulary("tags").decode(tags),
            strict=True,
        )
    }
    assert told == {("2", "52", "metal"), ("2", "52", "pop français"), ("3", "53", "alternative metal")}
    assert named(data.users.features, data.users.vocabulary.encode(["4"])[0]) == {"friend:2"}


def test_features_stand_with_their_weights():
    data = FeatureLinesReader(
        FeatureLinesOptions(
            interactions=LINES / "interactions.txt",
            item_features=LINES / "item_features.txt",
            user_features=LINES / "user_features.txt",
        )
    ).read()
    assert list(data.items.vocabulary.ids) == ["song-1", "song-2", "song-3", "song-4"]
    assert data.items.features.names == ("artist:kites", "genre:pop", "genre:rock", "year=1999")
    assert data.items.features.matrix.toarray()[0].tolist() == [0.5, 0, 1, 0]
    assert data.users.features.matrix.toarray().tolist() == [[0, 1, 0], [1.5, 0, 1], [0, 0, 0]]
    assert data.interactions.weights.tolist() == [2, 1, 1, 0.5, 1]
    assert data.interactions.times[0] == 1700000000


def test_lines_of_features_are_checked(tmp_path):
    (tmp_path / "plays.txt").write_text("ann a\nben\nben a -1\ncho b\n")
    (tmp_path / "items.txt").write_text("a x\na y\n")
    options = {"interactions": tmp_path / "plays.txt", "item_features": tmp_path / "items.txt"}
    with pytest.raises(DataError, match=r"items.txt, line 2: item a occurs again"):
        FeatureLinesReader(FeatureLinesOptions(**options)).read()
    reader = FeatureLinesReader(FeatureLinesOptions(**options, strict=False))
    data = reader.read()
    assert list(data.items.vocabulary.ids) == ["a", "b"]
    assert data.interactions.times is None
    assert "plays.txt: 2 malformed lines" in reader.notes()[1]


@pytest.mark.skipif(not SHARED.is_dir(), reason="the data sets are not here")
@pytest.mark.parametrize(
    ("reader", "folder", "counts"),
    [
        (MovieLensReader, "movielens-latest-small", (610, 9742, 100836)),
        (HetRecLastfmReader, "lastfm2k", (1892, 17632, 92834)),
    ],
)
def test_the_published_data_is_read_whole(reader, folder, counts):
    if not (SHARED / folder).is_dir():
        pytest.skip(f"{folder} is not here")
    data = reader(reader.Config(folder=SHARED / folder)).read()
    assert (len(data.users), len(data.items), len(data.interactions.ids)) == counts


def test_genres_that_the_flags_of_films_do_not_fit_are_told(tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(FIXTURES / "movielens-100k", folder)
    with (folder / "u.genre").open("a") as genres:
        genres.write("Opera|19\n")
    with pytest.raises(DataError, match=r"u\.item, line 1: not a flag for each of the 20 genres"):
        movielens(folder)
