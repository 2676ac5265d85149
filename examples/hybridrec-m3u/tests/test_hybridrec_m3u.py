"""`m3u` keeps its contract, and its example runs."""

from pathlib import Path

import hybridrec
import pytest
from hybridrec.testing import ReaderContract

import hybridrec_m3u
from hybridrec_m3u.reader import M3UOptions, M3UReader

HERE = Path(hybridrec_m3u.__file__).parent


class TestM3U(ReaderContract):
    reader = M3UReader
    configs = ({"folder": str(HERE / "sample")}, {"folder": str(HERE / "sample"), "min_items": 9})


def test_names_titles_and_order(tmp_path: Path) -> None:
    (tmp_path / "b.m3u8").write_text(
        "#EXTM3U\n#PLAYLIST: Late night\n#EXTINF:10,Nico - These Days\na/1.ogg\n\n# a comment\nb.mp3\na/2.ogg\n"
    )
    (tmp_path / "a.m3u").write_text("b.mp3\n")
    (tmp_path / "notes.txt").write_text("no playlist\n")
    data = M3UReader(M3UOptions(folder=tmp_path)).read()
    assert list(data.users.vocabulary.ids) == ["b"]
    assert data.users.text == ("Late night",)
    assert list(data.items.vocabulary.decode(data.interactions.ids)) == ["Nico - These Days", "b.mp3", "a/2.ogg"]


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(hybridrec.DataError, match=r"none of 0 files \*\.m3u"):
        M3UReader(M3UOptions(folder=tmp_path)).read()


def test_the_example_runs(tmp_path: Path) -> None:
    run = hybridrec.run(HERE / "example.yaml", store=tmp_path / "store", runs=tmp_path / "runs")
    assert run.report.pipelines.keys() == {"control", "variant"}
