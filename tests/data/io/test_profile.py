import pytest
import yaml

from hybridrec.data.io.profile import profile
from hybridrec.data.readers.table import TableOptions, TableReader
from hybridrec.errors import DataError


@pytest.fixture
def look(tmp_path):
    """Profile the given files (name to text), written into a folder."""

    def write_and_look(files):
        paths = []
        for name, content in files.items():
            paths.append(tmp_path / name)
            paths[-1].write_text(content, "utf-8")
        return profile(paths, tmp_path)

    return write_and_look


def test_one_file_of_ratings(look):
    profile = look({"ratings.csv": "userId,movieId,rating,timestamp\n1,10,4,100\n1,20,5,200\n2,10,3,300\n2,10,1,400\n"})
    assert profile.data == {
        "reader": "table",
        "interactions": {
            "path": "ratings.csv",
            "user": "userId",
            "item": "movieId",
            "time": "timestamp",
            "weight": "rating",
        },
    }
    assert profile.split == {"use": "temporal"}
    assert (profile.interactions, profile.users, profile.items, profile.repeats) == (4, 2, 2, 1)
    assert profile.density == 0.75
    assert profile.median == 2
    assert (profile.order, profile.times, profile.weights) == ("time", True, True)
    assert profile.notes == ()


def test_files_about_items_users_and_tags(look):
    profile = look(
        {
            "movies.csv": "id,title,genres,year\n10,Heat,Crime|Drama,1995\n20,Jaws,,1975\n30,New,,2020\n",
            "users.csv": "id,title\n1,mine\n2,yours\n",
            "links.csv": "movieId,imdb\n10,5\n",
            "plays.csv": "user;movie\n1;10\n2;20\n",
            "tags.csv": "user,movie,tag\n1,10,slow\n1,10,long\n1,10,good\n",
        }
    )
    assert profile.data["interactions"] == {"path": "plays.csv", "separator": ";", "user": "user", "item": "movie"}
    assert profile.data["items"] == {
        "path": "movies.csv",
        "id": "id",
        "text": ["title"],
        "time": "year",
        "tags": ["genres"],
        "features": ["year"],
    }
    assert profile.data["users"] == {"path": "users.csv", "id": "id", "title": "title"}
    assert profile.data["assignments"]["tags"] == {"path": "tags.csv", "user": "user", "item": "movie", "id": "tag"}
    assert (profile.items, profile.texts, profile.titles, profile.tagged_items) == (3, 3, 2, 1)
    assert profile.tags == 5
    assert len(profile.notes) == 1
    assert "links.csv is not used" in profile.notes[0]


def test_playlists_one_a_row(look):
    profile = look({"lists.jsonl": '{"id": 1, "name": "Mix", "songs": [1, 2], "tags": ["calm"]}\n'})
    assert profile.data["interactions"] == {"path": "lists.jsonl", "user": "id", "item": "songs"}
    assert profile.data["users"] == {"path": "lists.jsonl", "id": "id", "title": "name", "tags": ["tags"]}
    assert profile.split == {"use": "masked"}
    assert (profile.interactions, profile.titles, profile.tagged_users, profile.order) == (2, 1, 1, "file")


def test_item_tags_and_titles_in_rows(look):
    profile = look(
        {
            "plays.dat": "session\ttrack_id\ttrack_name\tfold\nx\t1\tOne\t0\ny\t2\tTwo\t1\n",
            "genres.csv": "track_id,genre\n1,rock\n1,pop\n",
        }
    )
    assert profile.data["interactions"]["format"] == "tsv"
    assert profile.data["interactions"]["group"] == "fold"
    assert profile.split == {"use": "folds"}
    assert profile.data["items"]["text"] == ["track_name"]
    assert profile.data["item_has"]["tags"] == {"path": "genres.csv", "item": "track_id", "id": "genre"}
    assert profile.texts == 2


def test_milliseconds_are_seen(look):
    profile = look({"p.csv": "user,item,time\n1,1,1704067200000\n"})
    assert profile.data["interactions"]["time_unit"] == "ms"


def test_a_column_that_is_not_what_it_is_called_is_left_out(look):
    for rating in ("good", "-1", "nan", ""):
        profile = look({"p.csv": f"user,item,time,rating\n1,1,morning,5\n1,2,noon,{rating}\n"})
        assert profile.data["interactions"].keys() == {"path", "user", "item"}
        assert len(profile.notes) == 2


def test_unknown_names_are_guessed_and_said(look):
    profile = look({"p.csv": "a,b\n1,x\n2,x\n"})
    assert (profile.data["interactions"]["user"], profile.data["interactions"]["item"]) == ("a", "b")
    assert "the first of two columns of ids is taken for users" in profile.notes[0]


def test_the_mapping_is_plain_yaml_that_the_reader_takes(look, tmp_path):
    profile = look({"p.csv": "user,item,time\n너,🎸,2024-01-01\n", "items.csv": "item,title\n🎸,Gitarre\n"})
    mapping = yaml.safe_load(yaml.safe_dump(profile.data))
    assert mapping.pop("reader") == TableReader.name
    data = TableReader(TableOptions.model_validate(mapping, context={"folder": tmp_path})).read()
    assert data.items.text == ("Gitarre",)


def test_files_without_interactions(look):
    with pytest.raises(DataError, match=r"no file has a user and an item.*items\.csv: item \("):
        look({"items.csv": "item,title\n1,One\n", "users.csv": "user,name\n1,me\n"})
    with pytest.raises(DataError, match="is empty"):
        look({"p.csv": ""})


@pytest.mark.parametrize(("mark", "said"), [("|", None), (";", ";"), (",", ","), ("/", None)])
def test_what_stands_between_tags_is_seen(look, mark, said):
    songs = "".join(f'{n},Song {n},"rock{mark}folk"\n' for n in range(4))
    profile = look(
        {
            "plays.csv": "user,song\n" + "".join(f"{u},{n}\n" for u in range(3) for n in range(4)),
            "songs.csv": "id,name,genres\n" + songs,
        }
    )
    assert profile.data["items"].get("value_separator") == said
    assert profile.tags == (1 if mark == "/" else 2)


def test_data_that_repeats_asks_for_repeats(look):
    rows = [f"u{user},s{(user + week) % 3},{week}" for week in range(1, 11) for user in range(40)]
    inferred = look({"p.csv": "user,song,day\n" + "\n".join(rows) + "\n"})
    assert inferred.split == {"use": "temporal", "seen": "allow"}
    assert "100% of what they do then repeats" in inferred.reasons["split"][0]
