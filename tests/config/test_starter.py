"""The first config for files: readers recognise published data sets, everything else is a table."""

from pathlib import Path

import pytest
import yaml

from hybridrec import DataError
from hybridrec.config.load import load_experiment
from hybridrec.config.starter import starting_config
from hybridrec.registry.discovery import Registry

FIXTURES = Path(__file__).parents[1] / "plugins" / "fixtures"
READERS = {
    "hetrec-lastfm": "hetrec-lastfm",
    "melon": "melon",
    "movielens-100k": "movielens",
    "movielens-10m": "movielens",
    "movielens-1m": "movielens",
    "movielens-latest": "movielens",
    "mpd": "mpd",
    "radio": "radio",
    "spotify": "spotify",
    "yes": "yes-radio",
}


@pytest.fixture
def start(tmp_path):
    """The lines about some files, the `data:` block of the config for them, and the checked experiment."""

    def write(*paths):
        registry = Registry()
        lines, text = starting_config(paths, tmp_path, registry)
        (tmp_path / "experiment.yaml").write_text(text, encoding="utf-8")
        return lines, yaml.safe_load(text)["data"], load_experiment(tmp_path / "experiment.yaml", registry)

    return write


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("how", ["the folder", "its files"])
def test_a_published_data_set_gets_its_reader(start, name, how):
    folder = FIXTURES / name
    lines, data, experiment = start(*([folder] if how == "the folder" else folder.iterdir()))
    assert data["reader"] == READERS[name]
    assert not Path(data.get("folder", data.get("path"))).is_absolute()
    assert f"recognised as what reader {READERS[name]} reads" in lines
    found = experiment.reader.read()
    assert lines[0].startswith(f"{len(found.interactions.ids)} interactions of {len(found.users)} users")


def test_a_part_of_a_published_data_set_is_a_table(start):
    _, data, _ = start(FIXTURES / "movielens-latest" / "ratings.csv")
    assert data["reader"] == "table"


def test_common_names_with_other_columns_are_tables(start, tmp_path):
    content = {
        "ratings": "user,item,stars\na,b,3\na,c,4\n",
        "movies": "item,title\nb,Heat\n",
        "tags": "item,tag\nb,x\n",
    }
    folder = tmp_path / "mine"
    folder.mkdir()
    for name, text in content.items():
        (folder / f"{name}.csv").write_text(text)
    (folder / "README").write_text("what is here")
    _, data, _ = start(folder)
    assert data["reader"] == "table"
    assert data["interactions"]["path"] == "mine/ratings.csv"


def test_slices_that_are_not_all_of_their_folder_are_not_taken_for_it(start):
    with pytest.raises(DataError, match=r"mpd.slice.0-999.json, line 3: 2 fields"):
        start(FIXTURES / "mpd" / "mpd.slice.0-999.json")


def test_a_folder_of_nothing_that_can_be_read_is_refused(start):
    with pytest.raises(DataError, match=r"feature-lines: no reader recognises what is in it, and no file in it ends"):
        start(FIXTURES / "feature-lines")
