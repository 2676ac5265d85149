from datetime import date

import polars as pl
import pytest

from hybridrec.data.embedded.convert import movietweetings, setlists
from hybridrec.errors import DataError

YEAR = """---
1970/02/13/1:
  :uuid: 1
  :venue: Fillmore East
  :city: New York
  :state: NY
  :country: US
  :sets:
  - :uuid: 2
    :songs:
    - :uuid: 3
      :name: "Truckin'"
      :segued: true
    - :uuid: 4
      :name: Drums
      :segued: false
  - :uuid: 5
    :songs:
    - :uuid: 6
      :name: "Truckin'"
      :segued: false
1970/01/02:
  :uuid: 7
  :venue: Kongreßhalle
  :city: ~
  :state: ~
  :country: Germany
  :sets: []
"""


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "1970.yaml").write_text(YEAR, "utf-8")
    (folder / "song_refs.yaml").write_text("- no: show\n", "utf-8")
    (folder / "movies.dat").write_text("0000002::Die Straße (1999)::Drama|War\n0000001::Untagged (2001)::\n", "utf-8")
    (folder / "ratings.dat").write_text("10::0000002::9::200\n2::0000001::0::300\n2::0000002::10::100\n", "utf-8")
    return folder


def test_setlists_survive(source, tmp_path):
    setlists(source, tmp_path)
    empty, full = pl.read_parquet(tmp_path / "setlists.parquet").to_dicts()
    assert full == {
        "show": "1970-02-13-1",
        "date": date(1970, 2, 13),
        "venue": "Fillmore East",
        "city": "New York",
        "state": "NY",
        "country": "US",
        "songs": ["Truckin'", "Drums", "Truckin'"],
        "sets": [1, 1, 2],
        "segued": [True, False, False],
    }
    assert empty["show"] == "1970-01-02"
    assert empty["venue"] == "Kongreßhalle"
    assert empty["city"] is None
    assert empty["songs"] == []


def test_movietweetings_survive(source, tmp_path):
    movietweetings(source, tmp_path)
    assert pl.read_parquet(tmp_path / "movietweetings-films.parquet").to_dicts() == [
        {"film": "0000001", "title": "Untagged", "year": 2001, "genres": []},
        {"film": "0000002", "title": "Die Straße", "year": 1999, "genres": ["Drama", "War"]},
    ]
    assert pl.read_parquet(tmp_path / "movietweetings-ratings.parquet").rows() == [
        (2, "0000002", 10, 100),
        (2, "0000001", 0, 300),
        (10, "0000002", 9, 200),
    ]


@pytest.mark.parametrize("convert", [setlists, movietweetings])
def test_the_same_input_gives_the_same_bytes(source, tmp_path, convert):
    made = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        convert(source, tmp_path / name)
        made.append({path.name: path.read_bytes() for path in (tmp_path / name).iterdir()})
    assert made[0] == made[1]


def test_a_folder_without_shows(tmp_path):
    with pytest.raises(DataError, match=r"no YYYY\.yaml"):
        setlists(tmp_path, tmp_path)
