"""The readers of playlists, the metrics and the queries of their challenges."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy.sparse import csr_matrix

import hybridrec
from hybridrec import DataError, Entities, EvalBatch, Features, Query, Ragged, Vocabulary, text_files
from hybridrec.testing import MetricContract, ReaderContract, SplitterContract, toy_dataset
from hybridrec_playlists import melon, mpd
from hybridrec_playlists.challenge import CATEGORIES, TenCategories, TenCategoriesOptions
from hybridrec_playlists.melon import MelonReader
from hybridrec_playlists.metrics import ArtistRPrecision, Clicks, MelonNdcg
from hybridrec_playlists.mpd import MPDReader
from hybridrec_playlists.radio import RadioReader
from hybridrec_playlists.spotify import SpotifyReader
from hybridrec_playlists.yes import YesReader

FIXTURES = Path(__file__).parent / "fixtures"
SHARED = Path(__file__).parents[3] / "shared" / "data"
SPOTIFY = FIXTURES / "spotify" / "spotify_dataset.csv"


class TestMelon(ReaderContract):
    reader = MelonReader
    configs = [
        {"folder": str(FIXTURES / "melon")},
        {"folder": str(FIXTURES / "melon"), "playlists": ["train.json", "val.json"], "unplayed": True},
    ]


class TestYes(ReaderContract):
    reader = YesReader
    configs = [{"folder": str(FIXTURES / "yes")}, {"folder": str(FIXTURES / "yes"), "min_items": 1}]


class TestSpotify(ReaderContract):
    reader = SpotifyReader
    configs = [{"path": str(SPOTIFY), "strict": False}, {"path": str(SPOTIFY), "rows": 5}]


class TestMPD(ReaderContract):
    reader = MPDReader
    configs = [
        {"folder": str(FIXTURES / "mpd"), "slices": 1},
        {"folder": str(FIXTURES / "mpd"), "challenge": str(FIXTURES / "mpd" / "challenge_set.json")},
    ]


class TestRadio(ReaderContract):
    reader = RadioReader
    configs = [{"folder": str(FIXTURES / "radio")}, {"folder": str(FIXTURES / "radio"), "length": 2}]


class TestMelonNdcg(MetricContract):
    metric = MelonNdcg


class TestArtistRPrecision(MetricContract):
    metric = ArtistRPrecision


class TestClicks(MetricContract):
    metric = Clicks


class TestTenCategories(SplitterContract):
    splitter = TenCategories
    configs = [{"test": 0.3, "validation": 0.3}]


def read(reader, **options):
    made = reader(reader.Config(**options))
    return made.read(), made


def plays_of(data, user):
    row = data.users.vocabulary.encode([user])
    assert row[0] >= 0, f"there is no {user}"
    return list(data.items.vocabulary.decode(data.interactions.take(row).ids))


def tags_of(data, matrix, row):
    return {data.vocabulary("tags").ids[int(tag)] for tag in matrix[row].indices}


def features_of(data, item):
    row = data.items.features.matrix[data.items.vocabulary.encode([item])[0]]
    return {data.items.features.names[column] for column in row.indices}


def date_of(seconds):
    return None if np.isnan(seconds) else str(np.datetime64(int(seconds), "s"))[:10]


def test_melon_playlists_and_songs():
    data, reader = read(MelonReader, folder=FIXTURES / "melon")
    assert reader.notes() == []
    assert plays_of(data, "61281") == ["101", "102", "103", "104"]
    assert plays_of(data, "147456") == []
    user = data.users.vocabulary.encode(["61281"])[0]
    assert data.users.text[user] == "비 오는 날 카페"
    assert tags_of(data, data.user_matrix("tags"), user) == {"비오는날", "카페"}
    assert data.users.times[user] == np.datetime64("2013-12-19T18:36:19").astype(float)
    assert "100" not in data.items.vocabulary
    assert (
        data.items.text[data.items.vocabulary.encode(["102"])[0]]
        == "Low Harbour, 유리배 - Harbour Lights (Feat. 유리배)"
    )
    released = dict(zip(data.items.vocabulary.ids, map(date_of, data.items.times), strict=True))
    assert released == {
        "101": "2008-04-21", "102": "2005-01-01", "103": "1969-01-01", "104": "2018-01-01",
        "105": None, "106": "2017-08-29",
    }  # fmt: skip


def test_a_melon_genre_brings_what_is_above_it():
    data, _ = read(MelonReader, folder=FIXTURES / "melon", features=["genre", "artist", "album"])
    assert features_of(data, "102") == {
        "genre:GN0900 POP",
        "genre:GN0908 올디스",
        "artist:3361 Low Harbour",
        "artist:2727 유리배",
        "album:3 Album 3",
    }
    assert features_of(data, "106") == {"artist:29966 Paper Kites of Ulm", "album:4 Album 4"}
    data, _ = read(MelonReader, folder=FIXTURES / "melon", unplayed=True)
    assert features_of(data, "100") == {
        "genre:GN0100 발라드",
        "genre:GN0105 2000년대",
        "genre:GN0101 세부장르전체",
        "artist:2727 유리배",
    }


def test_a_melon_artist_or_album_has_one_name_whatever_other_songs_call_it(tmp_path):
    folder = tmp_path / "melon"
    shutil.copytree(FIXTURES / "melon", folder)
    songs = json.loads((folder / "song_meta.json").read_text(encoding="utf-8"))
    songs[4] |= {"artist_name_basket": ["Yuribae"], "album_name": "Album two"}
    songs[5] |= {"artist_name_basket": ["Low Harbour", "a guest without an id"]}
    del songs[6]["album_name"]
    (folder / "song_meta.json").write_text(json.dumps(songs), encoding="utf-8")
    data, _ = read(MelonReader, folder=folder, features=["artist", "album"])
    assert features_of(data, "104") == {"artist:2727 유리배", "album:2 Album 2"}
    assert features_of(data, "105") == {"artist:3361 Low Harbour", "album:5 Album 5"}
    assert features_of(data, "106") == {"artist:29966 Paper Kites of Ulm", "album:4 Album 4"}


def test_likes_of_melon_playlists_are_a_feature_if_asked_for(tmp_path):
    folder = tmp_path / "melon"
    shutil.copytree(FIXTURES / "melon", folder)
    lists = json.loads((folder / "train.json").read_text(encoding="utf-8"))
    del lists[2]["like_cnt"]
    (folder / "train.json").write_text(json.dumps(lists), encoding="utf-8")
    data, _ = read(MelonReader, folder=folder, likes=True)
    likes = dict(zip(data.users.vocabulary.ids, data.users.features.column("likes").values.tolist(), strict=True))
    assert np.isnan(likes.pop("76951"))
    assert likes == {"61281": 71, "10532": 1, "147456": 0}
    data, _ = read(MelonReader, folder=folder)
    assert data.users.features is None


def test_vectors_of_melon_songs_come_with_their_ids(tmp_path):
    vectors = pl.DataFrame({"id": ["105", "9", "101"], "vector": [[1.0, 2.0], [7.0, 7.0], [3.0, 4.0]]})
    vectors.write_parquet(tmp_path / "v.parquet")
    data, _ = read(MelonReader, folder=FIXTURES / "melon", item_vectors={"path": str(tmp_path / "v.parquet")})
    vector_of = dict(zip(data.items.vocabulary.ids, data.items.vectors.tolist(), strict=True))
    assert vector_of["105"] == [1, 2]
    assert vector_of["101"] == [3, 4]
    assert vector_of["102"] == [0, 0]
    np.save(tmp_path / "v.npy", np.ones((6, 2)))
    with pytest.raises(DataError, match=r"v\.npy: a \.npy file does not say whose vectors it holds; right is"):
        read(MelonReader, folder=FIXTURES / "melon", item_vectors={"path": str(tmp_path / "v.npy")})


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('{"id": 1, "songs": [1', "the array does not close"),
        ('{"id": 1, "songs": [101], "tags": [], "plylst_title": ""}', "no playlist with id, plylst_title"),
        ('{"id": 1, "songs": ["x"], "tags": [], "plylst_title": "", "updt_date": ""}', "no playlist with id"),
        (
            '{"id": 10532, "songs": [101], "tags": [], "plylst_title": "", "updt_date": ""}',
            "playlist 10532 occurs again",
        ),
    ],
)
def test_malformed_melon_playlists(tmp_path, line, told):
    folder = tmp_path / "melon"
    shutil.copytree(FIXTURES / "melon", folder)
    text = (folder / "train.json").read_text(encoding="utf-8")
    (folder / "train.json").write_text(text.removesuffix("]") + ",\n" + line + "]", encoding="utf-8")
    with pytest.raises(DataError, match=f"train.json, line 2: {told}"):
        read(MelonReader, folder=folder)
    data, reader = read(MelonReader, folder=folder, strict=False)
    assert data.fingerprint == read(MelonReader, folder=FIXTURES / "melon")[0].fingerprint
    assert reader.notes()[0].startswith(f"{folder / 'train.json'}: 1 malformed line was skipped; line 2: {told}")


def test_a_melon_song_without_meta_data_is_passed_over(tmp_path):
    folder = tmp_path / "melon"
    shutil.copytree(FIXTURES / "melon", folder)
    songs = json.loads((folder / "song_meta.json").read_text(encoding="utf-8"))
    (folder / "song_meta.json").write_text(json.dumps([song for song in songs if song["id"] != 103]), encoding="utf-8")
    with pytest.raises(DataError, match=r"train.json, line 1: song 103 is not in song_meta.json"):
        read(MelonReader, folder=folder)
    data, reader = read(MelonReader, folder=folder, strict=False)
    assert plays_of(data, "61281") == ["101", "102", "104"]
    assert "2 malformed lines" in reader.notes()[0]


def test_melon_songs_that_are_all_malformed_leave_nothing_to_read(tmp_path):
    folder = tmp_path / "melon"
    shutil.copytree(FIXTURES / "melon", folder)
    (folder / "song_meta.json").write_text('[{"id": null}]', encoding="utf-8")
    data, reader = read(MelonReader, folder=folder, strict=False)
    assert (len(data.items), reader.bad_lines.count > 1) == (0, True)


def test_yes_lists_are_those_of_known_songs():
    data, reader = read(YesReader, folder=FIXTURES / "yes")
    assert reader.notes() == []
    assert list(data.users.vocabulary.ids) == ["test-1", "train-1", "train-2", "train-4"]
    assert plays_of(data, "train-2") == ["2", "3", "0", "1"]
    assert plays_of(data, "train-4") == ["0", "1"]
    assert list(data.items.vocabulary.ids) == ["0", "1", "2", "3"]
    assert data.items.text[0] == "The Kites - Paper Lanterns"
    assert tags_of(data, data.item_matrix("tags"), 0) == {"rock", "80s, and more"}
    assert tags_of(data, data.item_matrix("tags"), 2) == set()


def test_songs_without_a_tag_may_have_the_tag_unknown():
    plain, _ = read(YesReader, folder=FIXTURES / "yes")
    data, _ = read(YesReader, folder=FIXTURES / "yes", unknown_tag=True)
    before, after = plain.item_matrix("tags"), data.item_matrix("tags")
    assert tags_of(data, after, 0) == tags_of(plain, before, 0)
    assert tags_of(data, after, 2) == {"unknown"}
    assert after.nnz == before.nnz + (before.getnnz(axis=1) == 0).sum()


def test_a_blank_name_of_a_yes_tag_is_malformed(tmp_path):
    folder = tmp_path / "yes"
    shutil.copytree(FIXTURES / "yes", folder)
    with (folder / "tag_hash.txt").open("a") as file:
        file.write("77,  \n")
    with pytest.raises(DataError, match=r"tag_hash.txt, line \d+: not id, name"):
        read(YesReader, folder=folder)


def test_malformed_yes_lines(tmp_path):
    folder = tmp_path / "yes"
    shutil.copytree(FIXTURES / "yes", folder)
    with (folder / "train.txt").open("a") as file:
        file.write("0 x 1\n0 99 1\n")
    with pytest.raises(DataError, match=r"train.txt, line 7: not ids of songs between blanks"):
        read(YesReader, folder=folder)
    data, reader = read(YesReader, folder=folder, strict=False)
    assert plays_of(data, "train-6") == ["0", "1"]
    (note,) = reader.notes()
    assert "2 malformed lines" in note
    assert "line 8: unknown song 99" in note


def test_spotify_rows_become_playlists():
    with pytest.raises(DataError, match=r"spotify_dataset.csv, line 8: not \"user_id\",\"artistname\""):
        read(SpotifyReader, path=SPOTIFY)
    data, reader = read(SpotifyReader, path=SPOTIFY, strict=False)
    assert "2 malformed lines" in reader.notes()[0]
    assert "lines 8 and 9: not" in reader.notes()[0]
    assert list(data.users.vocabulary.ids) == ["07f0/HARD ROCK 2010", "944c/a, b/c", "9cc0/HARD ROCK 2010"]
    assert data.users.text == ("HARD ROCK 2010", "a, b/c", "HARD ROCK 2010")
    assert plays_of(data, "9cc0/HARD ROCK 2010") == [
        "The Kites - Paper Lanterns", 'The Kites - (The Long) "Seven Bridges"', 'Old Quarter, The - Night "Bus", Pt. 2',
    ]  # fmt: skip
    assert features_of(data, "Harbour - Low Tide") == {"artist:Harbour"}
    few, _ = read(SpotifyReader, path=SPOTIFY, rows=3, min_items=1)
    assert len(few.interactions.ids) == 3


def test_a_spotify_file_is_read_in_little_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(text_files, "BLOCK", 1 << 18)
    path = tmp_path / "spotify_dataset.csv"
    row = '"user{}","Artist {}","A track with a rather long name, number {}","list {}"\n'
    rows = (row.format(n % 97, n % 51, n % 409, n % 3) for n in range(100_000))
    path.write_text('"user_id", "artistname", "trackname", "playlistname"\n' + "".join(rows))
    data, _ = read(SpotifyReader, path=path)
    assert (len(data.interactions.ids), len(data.items)) == (100_000, 409 * 51)


def test_mpd_slices_and_the_challenge_set():
    data, reader = read(MPDReader, folder=FIXTURES / "mpd", challenge=FIXTURES / "mpd" / "challenge_set.json")
    assert reader.notes() == []
    assert list(data.users.vocabulary.ids) == ["0", "1", "1000", "1000000", "1000002", "1001", "2"]
    assert plays_of(data, "2") == [f"spotify:track:t{n}" for n in (0, 3, 3)]
    assert plays_of(data, "1000002") == ["spotify:track:t1", "spotify:track:t2"]
    titles = dict(zip(data.users.vocabulary.ids, data.users.text, strict=True))
    assert (titles["1"], titles["1000000"], titles["1000002"]) == ("rainy {days}", "spanish playlist", "")
    assert data.users.times[data.users.vocabulary.encode(["1"])[0]] == 1493424001
    assert data.items.text[data.items.vocabulary.encode(["spotify:track:t7"])[0]] == "Artist 2 - Track 7"
    assert features_of(data, "spotify:track:t7") == {"artist:spotify:artist:a2", "album:spotify:album:b2"}
    first_slice, _ = read(MPDReader, folder=FIXTURES / "mpd", slices=1)
    assert list(first_slice.users.vocabulary.ids) == ["0", "1", "2"]


def test_malformed_mpd_playlists(tmp_path):
    folder = tmp_path / "mpd"
    shutil.copytree(FIXTURES / "mpd", folder)
    path = folder / "mpd.slice.1000-1999.json"
    path.write_text(
        path.read_text().replace('"pid": 1000,', '"pid": 2,').replace('"track_uri": "spotify:track:t9"', '"uri": 1')
    )
    with pytest.raises(DataError, match=r"mpd.slice.1000-1999.json, line 8: playlist 2 occurs again"):
        read(MPDReader, folder=folder)
    data, reader = read(MPDReader, folder=folder, strict=False)
    assert list(data.users.vocabulary.ids) == ["0", "1", "2"]
    assert "no playlist with pid and tracks" in reader.notes()[0]


def test_radio_plays_stand_in_the_order_of_the_air():
    data, _ = read(RadioReader, folder=FIXTURES / "radio")
    lanterns, tide, stay = "Paper Lanterns by The Kites", "Low Tide by Harbour", "Stay, Boy by Old Quarter"
    assert plays_of(data, "KABC-1") == [lanterns, tide, stay]
    assert plays_of(data, "WXYZ-1") == [lanterns, tide]
    row = data.items.vocabulary.encode([tide])[0]
    assert tags_of(data, data.item_matrix("tags"), row) == {"artist:Harbour", "year:1979", "decade:1970s"}
    assert features_of(data, stay) == {"artist:Old Quarter"}
    data, _ = read(RadioReader, folder=FIXTURES / "radio", length=2)
    assert (plays_of(data, "KABC-1"), plays_of(data, "KABC-2")) == ([lanterns, tide], [stay])


def test_a_radio_play_with_a_number_that_is_too_long_is_malformed(tmp_path):
    folder = tmp_path / "radio"
    shutil.copytree(FIXTURES / "radio", folder)
    plays = folder / "classic_rock_raw_data.csv"
    first = plays.read_text(encoding="utf-8").splitlines()[1].split(",")
    first[5] += "9" * 30
    with plays.open("a", encoding="utf-8") as file:
        file.write(",".join(first) + "\n")
    with pytest.raises(DataError, match="no play with a time and a numbered unique_id"):
        read(RadioReader, folder=folder)


@pytest.mark.skipif(not (SHARED / "radio").is_dir(), reason="the data set is not here")
def test_the_published_radio_plays_are_read_whole():
    data, _ = read(RadioReader, folder=SHARED / "radio")
    assert (len(data.users), len(data.items), len(data.interactions.ids)) == (25, 2240, 37673)


@pytest.mark.parametrize("reader", [MelonReader, YesReader, MPDReader, RadioReader])
def test_missing_data_is_told_with_its_origin_and_terms(tmp_path, reader):
    with pytest.raises(DataError, match=r"https://.*(research|CC BY)|(research|CC BY).*https://"):
        read(reader, folder=tmp_path)


def test_the_missing_spotify_file_is_told_with_its_origin(tmp_path):
    with pytest.raises(DataError, match=r"no such file.*zenodo.*CC BY"):
        read(SpotifyReader, path=tmp_path / "spotify_dataset.csv")


def eval_batch(ids, truth, width=12, artists=None):
    ids = np.array(ids, np.int32)
    matrix = np.zeros((len(ids), width), np.float32)
    for row, relevant in enumerate(truth):
        matrix[row, relevant] = 1
    hits = np.array([[i >= 0 and matrix[q, i] > 0 for i in row] for q, row in enumerate(ids)])
    train = toy_dataset()
    if artists is not None:
        owners = np.zeros((width, max(artists) + 2), np.float32)
        owners[np.arange(width), artists] = 1
        names = (*(f"artist:{a}" for a in range(max(artists) + 1)), "year:1999")
        owners[:, -1] = 1
        train = train.with_entities("items", features=Features.of_labels(names, csr_matrix(owners)))
    return EvalBatch("items", ids, hits, csr_matrix(matrix), train)


def test_melon_ndcg_has_the_whole_truth_in_its_ideal():
    values = MelonNdcg().values(eval_batch([[0, 5], [5, 1], [0, 1]], [[0, 1, 2], [1], []]), 2)
    ideal = 1 + 1 / np.log2(3) + 1 / np.log2(4)
    np.testing.assert_allclose(values, [1 / ideal, 1 / np.log2(3), np.nan])


def test_an_artist_counts_a_quarter_and_once():
    # Items 0-3 are of artist 0, 4-7 of 1, 8-11 of 2; R is 4.
    slates = [[0, 4, 5, 11, 8], [1, 2, 3, 0, 8], [0, 1, 2, -1, -1], [11, 10, 9, 8, 0]]
    truth = [[0, 1, 6, 7], [1, 2, 3, 0], [4, 5, 6, 7], [0, 1, 2, 3]]
    values = ArtistRPrecision().values(eval_batch(slates, truth, artists=[i // 4 for i in range(12)]), 5)
    np.testing.assert_allclose(values, [(1 + 0.25 * 2) / 4, (4 + 0.25) / 4, 0, 0])


def test_clicks_count_pages_of_ten():
    slates = np.arange(1, 21)[None, :].repeat(4, axis=0)
    values = Clicks().values(eval_batch(slates, [[1], [11, 12], [0], []], width=30), 20)
    np.testing.assert_allclose(values, [0, 1, 3, np.nan])


def long_lists():
    """200 playlists of 5 to 150 tracks out of 300, each with a title."""
    toy, rng = toy_dataset(), np.random.default_rng(0)
    rows = [rng.permutation(300)[:length] for length in rng.integers(5, 151, 200)]
    return replace(
        toy,
        entities={
            "users": Entities(Vocabulary(f"{n:03}" for n in range(200)), tuple(f"title {n}" for n in range(200))),
            "items": Entities(Vocabulary(f"{n:03}" for n in range(300))),
            "tags": toy.entities["tags"],
        },
        interactions=Ragged.from_rows(rows, 300),
        user_has={"tags": csr_matrix((200, toy.size("tags")), dtype=np.float32)},
        item_has={},
        assignments={},
    )


def test_each_category_shows_what_it_says():
    data = long_lists()
    (fold,) = TenCategories(TenCategoriesOptions(test=0.3)).split(data, np.random.default_rng(1))
    shown = list(zip(fold.queries.history.lengths.tolist(), fold.queries.has("title").tolist(), strict=True))
    counts = {kind: shown.count(kind) for kind in set(shown)}
    assert counts == {
        (0, True): 6, (1, True): 6, (5, True): 6, (5, False): 6, (10, True): 6, (10, False): 6,
        (25, True): 12, (100, True): 12,
    }  # fmt: skip
    orders = []
    for query, unit in enumerate(fold.units):
        whole = data.interactions.take(np.array([unit])).ids.tolist()
        seeds = fold.queries.history.take(np.array([query])).ids.tolist()
        assert set(fold.truth["items"][query].indices) == set(whole) - set(seeds)
        orders.append((len(seeds), seeds == whole[: len(seeds)]))
    assert {order for order in orders if order[0] in (1, 5, 10)} == {(1, True), (5, True), (10, True)}
    assert [orders.count((n, first)) for n in (25, 100) for first in (True, False)] == [6, 6, 6, 6]
    assert len(CATEGORIES) == 10


def test_nothing_to_train_on_is_refused():
    data = long_lists().hide_users(np.arange(200) > 0)
    with pytest.raises(DataError, match=r"ten-categories: .* have to remain for training"):
        list(TenCategories().split(data, np.random.default_rng(0)))


def test_questions_show_what_the_challenge_shows():
    path = FIXTURES / "melon" / "val.json"
    asked = melon.read_questions(path, text_files.BadLines(strict=True))
    changed = np.datetime64("2019-05-27T14:14:33").astype(float)
    likes = {"likes": 1675.0}
    assert asked == {"118598": Query(items=["105", "102"], tags=[], text="", time=changed, user_features=likes)}
    path = FIXTURES / "mpd" / "challenge_set.json"
    asked = mpd.read_questions(path, text_files.BadLines(strict=True))
    assert asked == {
        "1000000": Query(items=[], text="spanish playlist"),
        "1000002": Query(items=["spotify:track:t1", "spotify:track:t2"]),
    }


@pytest.mark.parametrize("form", [melon, mpd])
def test_a_missing_file_of_questions_is_named(form):
    with pytest.raises(DataError, match=r"no-such-file: no such file. The M"):
        form.read_questions(Path("no-such-file"), text_files.BadLines(strict=True))


def test_the_core_knows_none_of_these_collections():
    texts = {path: path.read_text(encoding="utf-8") for path in Path(hybridrec.__file__).parent.rglob("*.py")}
    assert len(texts) > 100
    assert [path for path, text in texts.items() if re.search(r"\b(melon|mpd)\b", text, re.I)] == []


def test_case_of_spotify_tracks_is_folded_if_asked_for(tmp_path):
    path = tmp_path / "spotify_dataset.csv"
    names = ("Elvis", "elvis", "ELVIS")
    rows = [f'"u{user}","{name}","Alison","Mix"' for user in (1, 2) for name in names]
    path.write_text("\n".join(['"user_id", "artistname", "trackname", "playlistname"', *rows, ""]))
    data, _ = read(SpotifyReader, path=path)
    assert len(data.items) == 3
    data, _ = read(SpotifyReader, path=path, fold_case=True)
    assert list(data.items.vocabulary.ids) == ["elvis - alison"]
    assert data.users.text[0] == "Mix"
